/**
 * What the disks that a device lies on say of themselves when they are asked now. The kernel asks once, when it finds a
 * disk: an array that puts another volume behind the same number shows the old one's names there, and the new one's bytes.
 */
import { BlockhaulError } from "../errors.js";
import { native } from "../native.js";
import { BlockDevices } from "./block-devices.js";
import { type HostNode, keyOf } from "./node.js";
import { NAMES_PAGE, namesOf, SERIAL_PAGE } from "./scsi-names.js";

/** A disk by all the paths that lead to it. */
type Disk = readonly string[];

/** Asks a disk's node for a page. */
type Inquire = (path: string, page: number) => Promise<Uint8Array>;

/** A disk's node is not in this container, is not this user's to open, or takes no SCSI commands. */
const CANNOT_ASK = ["ENOENT", "EACCES", "EPERM", "ENOTTY"];

/**
 * @param file where the device itself was opened; its disks are asked through their nodes below /dev
 * @returns undefined where none of its disks is a SCSI disk with names, or none can be asked
 * @throws BlockhaulError where a disk that has names does not say them: it may be another by now
 */
export async function diskNamesOf(
  node: HostNode,
  file: string,
  sysfs = "/sys",
  inquire: Inquire = (path, page) => native().inquire(path, page),
): Promise<string | undefined> {
  const own = keyOf(node);
  const devices = new BlockDevices(sysfs);
  const ask = async ({ number, name, pages }: DiskPath) => {
    const path = number === own ? file : `/dev/${name.replaceAll("!", "/")}`;
    try {
      return namesOf(await Promise.all(pages.map((page) => inquire(path, page))));
    } catch (error) {
      if (error instanceof BlockhaulError && CANNOT_ASK.includes(error.errnoName ?? "")) return;
      throw error;
    }
  };
  const disks = await disksBelow(devices, own);
  const found = await Promise.all(disks.map((disk) => namesOfDisk(devices, disk, ask)));
  const names = found.filter((text) => text !== undefined);
  return names.length === 0 ? undefined : [...new Set(names)].sort().join("; ");
}

async function disksBelow(devices: BlockDevices, number: string): Promise<Disk[]> {
  const disk = await devices.diskOf(number);
  if (disk !== undefined) return disksBelow(devices, disk);
  const below = await devices.slavesOf(number);
  if (below.length === 0) return [[number]];
  const isMultipath = (await devices.attribute(number, "dm/uuid"))?.startsWith("mpath-");
  if (isMultipath) return [below];
  return (await Promise.all(below.map((each) => disksBelow(devices, each)))).flat();
}

/** By each path that works: any may lead elsewhere by now. */
async function namesOfDisk(
  devices: BlockDevices,
  disk: Disk,
  ask: (path: DiskPath) => Promise<string | undefined>,
): Promise<string | undefined> {
  const paths = await Promise.all(disk.map((number) => pathOf(devices, number)));
  const named = paths.filter(({ pages }) => pages.length > 0);
  if (named.length === 0) return undefined;
  // A request to a path that is down waits for it; who has but one waits, too.
  const working = named.length === 1 ? named : named.filter(({ isRunning }) => isRunning);
  const asked = await Promise.allSettled(working.map(ask));
  const said = asked.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const names = said.filter((text) => text !== undefined);
  if (names.length > 0) return [...new Set(names)].sort().join(" and ");
  if (said.length > 0) return undefined;
  const failed = asked.find((each) => each.status === "rejected");
  throw failed?.reason ?? noPath(named.map(({ name }) => name));
}

/** One way to a disk. */
interface DiskPath {
  readonly number: string;
  /** "sda" */
  readonly name: string;
  readonly isRunning: boolean;
  /** Those that its unit gave when the kernel found it. */
  readonly pages: readonly number[];
}

async function pathOf(devices: BlockDevices, number: string): Promise<DiskPath> {
  const attribute = (name: string) => devices.attribute(number, `device/${name}`);
  const [name, state, serial, names] = await Promise.all([
    devices.nameOf(number),
    attribute("state"),
    attribute("vpd_pg80"),
    attribute("vpd_pg83"),
  ]);
  const pages = [
    ...(serial === undefined ? [] : [SERIAL_PAGE]),
    ...(names === undefined ? [] : [NAMES_PAGE]),
  ];
  return { number, name, isRunning: state === "running", pages };
}

function noPath(names: readonly string[]): BlockhaulError {
  return new BlockhaulError("ERR_IO", {
    message: `none of its paths works, so that nobody can say which disk it is: ${names.join(", ")}`,
    hint: "`multipath -ll` shows their states",
  });
}
