/** SCSI devices of sessions, through sysfs: never by a name in /dev, which may be a leftover. */
import { stat } from "node:fs/promises";
import path from "node:path";

import { deviceNumber } from "../../system/block-device.js";
import { type Program, runProgram } from "../../system/program.js";
import { listFolder, readAttribute, SYSFS_SECTOR, writeAttribute } from "../../system/sysfs.js";
import { waitFor } from "../../system/wait.js";
import type { DeviceIdentity } from "../connection.js";
import type { Session } from "./sessions.js";

const DISK = "0";
/** Of what is there but cannot say yet what it is. */
const UNKNOWN = "31";
const ANSWER_DEADLINE_MS = 10_000;
const GONE_DEADLINE_MS = 30_000;

const DD: Program = { name: "dd", package: "coreutils" };

/** A LUN as the kernel sees it. */
export interface ScsiDevice {
  /** The kernel's number of it, which is the address that it is reached at: `report-luns.ts` says more. */
  readonly address: number;
  /** "/sys/devices/platform/host3/session1/target3:0:0/3:0:0:1" */
  readonly folder: string;
  /** "sda"; absent of what is no disk, or not one yet. */
  readonly name?: string;
}

/** Everything that was found behind a session's target. */
export async function devicesOf(session: Session): Promise<ScsiDevice[]> {
  const devices: ScsiDevice[] = [];
  for (const target of await listFolder(session.folder)) {
    if (!target.startsWith("target")) continue;
    for (const entry of await listFolder(path.join(session.folder, target))) {
      const address = /^\d+:\d+:\d+:(\d+)$/.exec(entry)?.[1];
      if (address === undefined) continue;
      const folder = path.join(session.folder, target, entry);
      const [name] = await listFolder(path.join(folder, "block"));
      devices.push({ address: Number(address), folder, ...(name === undefined ? {} : { name }) });
    }
  }
  return devices;
}

export async function findDevice(
  session: Session,
  address: number,
): Promise<ScsiDevice | undefined> {
  return (await devicesOf(session)).find((device) => device.address === address);
}

/** Whether it is a disk; targets show a controller of their own at LUN 0. */
export async function isDisk({ folder }: ScsiDevice): Promise<boolean> {
  return (await readAttribute(path.join(folder, "type"))) === DISK;
}

/** Whether it is for good something else than a disk. */
export async function isNoDisk({ folder, name }: ScsiDevice): Promise<boolean> {
  if (name !== undefined) return false;
  const type = await readAttribute(path.join(folder, "type"));
  return type !== undefined && type !== DISK && type !== UNKNOWN;
}

/** What the LUN said of itself when the kernel last asked; undefined where it is no disk any more. */
export async function identityOf({
  folder,
  name,
}: ScsiDevice): Promise<DeviceIdentity | undefined> {
  if (name === undefined) return undefined;
  const [wwid, page, sectors] = await Promise.all([
    readAttribute(path.join(folder, "wwid")),
    readAttribute(path.join(folder, "vpd_pg80")),
    readAttribute(path.join(folder, "block", name, "size")),
  ]);
  if (sectors === undefined) return undefined;
  // LIO ends it with a NUL, tgt fills it up with spaces.
  const serial = page?.slice(4).replaceAll("\0", "").trim();
  return {
    ...(wwid ? { wwid: wwid.replace(/\s+/g, " ") } : {}),
    ...(serial ? { serial } : {}),
    size: Number(sectors) * SYSFS_SECTOR,
  };
}

/** Has the kernel ask the LUN again what it is: another volume may stand behind the same number by now. */
export async function askAgain({ folder }: ScsiDevice): Promise<void> {
  await writeAttribute(path.join(folder, "rescan"), "1").catch(() => {});
}

/** Whether its first block can be read, from the medium and soon. */
export async function answers(node: string): Promise<boolean> {
  const read = [`if=${node}`, "of=/dev/null", "bs=4096", "count=1", "iflag=direct"];
  try {
    const { status } = await runProgram(DD, read, { deadlineMs: ANSWER_DEADLINE_MS });
    return status === 0;
  } catch {
    return false;
  }
}

/**
 * The path of a device's node, once it is there and leads to this very device.
 *
 * @param node "/dev/sda" unless told
 * @returns undefined where it does not within the deadline
 */
export function nodeOf(
  name: string,
  deadlineMs: number,
  node = path.join("/dev", name),
): Promise<string | undefined> {
  return waitFor(
    async () => {
      const number = await readAttribute(path.join("/sys/class/block", name, "dev"));
      const status = await stat(node).catch(() => undefined);
      const isIt = status?.isBlockDevice() && number === deviceNumber(status.rdev);
      return isIt ? node : undefined;
    },
    { deadlineMs },
  );
}

/** Asks a target what is at one address; the kernel has its answer when this returns. */
export async function scanLun({ host, target }: Session, address: number): Promise<void> {
  await writeAttribute(`/sys/class/scsi_host/host${host}/scan`, `0 ${target} ${address}`);
}

/**
 * Takes a device away, and waits until it is gone.
 *
 * @returns whether it went within half a minute
 */
export async function deleteDevice({ folder }: ScsiDevice): Promise<boolean> {
  await writeAttribute(path.join(folder, "delete"), "1").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT" && error.code !== "ENODEV") throw error;
  });
  const gone = async () => ((await listFolder(folder)).length === 0 ? true : undefined);
  return (await waitFor(gone, { deadlineMs: GONE_DEADLINE_MS })) ?? false;
}
