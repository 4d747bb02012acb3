/**
 * What the disks that a device lies on say of themselves when they are asked now. The kernel asks once, when it finds a
 * disk: an array that puts another volume behind the same number shows the old one's names there, and the new one's bytes.
 */
import { BlockhaulError } from "../errors.js";
import { native } from "../native.js";
import type { BlockDevices } from "./block-devices.js";
import { THIS_HOST } from "./host.js";
import { type HostNode, keyOf } from "./node.js";
import { NAMES_PAGE, namesOf, SERIAL_PAGE } from "./scsi-names.js";
import { Stack } from "./stack.js";

/** Asks a disk's node for a page. */
type Inquire = (path: string, page: number) => Promise<Uint8Array>;

/** A disk's node is not in this container, is not this user's to open, or takes no SCSI commands. */
const CANNOT_ASK = ["ENOENT", "EACCES", "EPERM", "ENOTTY"];

/**
 * By the disks, each path to one by itself: volumes are moved from disk to disk, and arrays lose disks, while they are the
 * same volumes. Only a disk that says another name than before is another. One that is silent is left out, unless all are.
 *
 * @param file where the device itself was opened; its disks are asked through their nodes below /dev
 * @returns undefined where none of its disks is a SCSI disk with names, or none can be asked
 * @throws BlockhaulError where none of those that have names says them: they may be others by now
 */
export async function diskNamesOf(
  node: HostNode,
  file: string,
  sysfs = "/sys",
  inquire: Inquire = (path, page) => native().inquire(path, page),
): Promise<Readonly<Record<string, string>> | undefined> {
  const own = keyOf(node);
  const stack = new Stack({ ...THIS_HOST, sysfs });
  const disks = await stack.bottomOf(node);
  const all = await Promise.all(disks.map((number) => diskOf(stack.devices, number)));
  const named = all.filter(({ pages }) => pages.length > 0);
  if (named.length === 0) return undefined;
  // A request to a path that is down waits for it; who has but one waits, too.
  const working = named.length === 1 ? named : named.filter(({ isRunning }) => isRunning);
  const asked = await Promise.allSettled(
    working.map(async ({ key, number, name, pages }) => {
      const path = number === own ? file : `/dev/${name.replaceAll("!", "/")}`;
      return [key, await namesAt(path, pages, inquire)] as const;
    }),
  );
  const answered = asked.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const said = answered.flatMap(([key, names]) => (names === undefined ? [] : [[key, names]]));
  if (said.length > 0) return Object.fromEntries(said);
  if (answered.length > 0) return undefined;
  const failed = asked.find((each) => each.status === "rejected");
  throw failed?.reason ?? noPath(named.map(({ name }) => name).join(", "));
}

/** Undefined where it cannot be asked here. */
async function namesAt(path: string, pages: readonly number[], inquire: Inquire) {
  try {
    return namesOf(await Promise.all(pages.map((page) => inquire(path, page))));
  } catch (error) {
    if (error instanceof BlockhaulError && CANNOT_ASK.includes(error.errnoName ?? "")) return;
    throw error;
  }
}

/** A disk, or one path to it. */
interface Disk {
  readonly number: string;
  /** Its number and sequence number: no other disk has both before the host's next start. */
  readonly key: string;
  /** "sda" */
  readonly name: string;
  readonly isRunning: boolean;
  /** Those that its unit gave when the kernel found it. */
  readonly pages: readonly number[];
}

async function diskOf(devices: BlockDevices, number: string): Promise<Disk> {
  const [name, uuid, sequence = "", state, serial, names] = await Promise.all([
    devices.nameOf(number),
    devices.attribute(number, "dm/uuid"),
    devices.attribute(number, "diskseq"),
    devices.attribute(number, "device/state"),
    devices.attribute(number, "device/vpd_pg80"),
    devices.attribute(number, "device/vpd_pg83"),
  ]);
  // A map that waits for paths lies on nothing.
  if (uuid?.startsWith("mpath-")) throw noPath("it has none");
  const pages = [
    ...(serial === undefined ? [] : [SERIAL_PAGE]),
    ...(names === undefined ? [] : [NAMES_PAGE]),
  ];
  return { number, key: `${number} ${sequence}`, name, isRunning: state === "running", pages };
}

function noPath(paths: string): BlockhaulError {
  return new BlockhaulError("ERR_IO", {
    message: `none of its paths works, so that nobody can say which disk it is: ${paths}`,
    hint: "`multipath -ll` shows their states",
  });
}
