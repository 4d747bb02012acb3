import { setTimeout as delay } from "node:timers/promises";

import type { Attachment } from "../../attachments/attachment.js";
import { BlockhaulError } from "../../errors.js";
import { waitFor } from "../../system/wait.js";
import type { DeviceIdentity } from "../connection.js";
import { whatHolds } from "./holders.js";
import { formatPortal } from "./names.js";
import {
  answers,
  askAgain,
  deleteDevice,
  findDevice,
  identityOf,
  isNoDisk,
  nodeOf,
  type ScsiDevice,
  scanLun,
} from "./scsi-device.js";
import type { Session } from "./sessions.js";
import { lunStep } from "./steps.js";

/** Milliseconds between two scans: a target may need a moment to show a LUN that it was just given. */
const SCAN_PAUSES_MS = [500, 1500, 3000] as const;
const NODE_DEADLINE_MS = 10_000;

/** A LUN that can be opened. */
export interface AttachedPath {
  /** "sda" */
  readonly name: string;
  /** "/dev/sda" */
  readonly node: string;
  readonly identity: DeviceIdentity;
  readonly session: Session;
  /** Whether it is a step of the attachment; somebody else's device is left where it is. */
  readonly isOurs: boolean;
}

/**
 * The device of one LUN of a session: found by a scan for this LUN alone, or there already. What a
 * LUN of that number left behind is removed first: its device would show the size and the identity of
 * one volume and the content of another (CVE-2023-2088).
 *
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_IN_USE, ERR_IO
 */
export async function attachLun(
  session: Session,
  lun: number,
  attachment: Attachment,
): Promise<AttachedPath> {
  const { iqn, portal } = session;
  const data = { iqn, host: portal.host, port: portal.port, lun };
  const there = await findDevice(session, lun);
  if (there !== undefined && (await isNoDisk(there))) throw noDisk(session, lun);
  if (there !== undefined && (await isGood(there))) {
    // Of an attachment of ours, it goes with the last that uses it; another's is left where it is.
    return openable(session, there, await attachment.share(lunStep, data));
  }
  await attachment.record(lunStep, data);
  if (there !== undefined) await removeStale(session, there);
  return openable(session, await scan(session, lun), true);
}

/** Whether a device that was there still is what it was when the kernel found it, and answers. */
async function isGood(device: ScsiDevice): Promise<boolean> {
  const before = await identityOf(device);
  if (before === undefined || device.name === undefined) return false;
  await askAgain(device);
  const now = await identityOf(device);
  if (now === undefined || !isSame(before, now)) return false;
  const node = await nodeOf(device.name, NODE_DEADLINE_MS);
  return node !== undefined && (await answers(node));
}

async function removeStale(session: Session, device: ScsiDevice): Promise<void> {
  const holder = device.name === undefined ? undefined : await whatHolds(device.name);
  if (holder !== undefined) {
    throw new BlockhaulError("ERR_IN_USE", {
      message: `${placeOf(session, device.lun)} has a device left of an earlier volume, and ${holder}`,
      hint: `stop what uses ${device.name}, then try again`,
    });
  }
  if (!(await deleteDevice(device))) {
    throw new BlockhaulError("ERR_IN_USE", {
      message: `${device.name ?? "a device"}, left of an earlier ${placeOf(session, device.lun)}, does not go`,
    });
  }
}

async function scan(session: Session, lun: number): Promise<ScsiDevice> {
  for (let tries = 0; ; tries += 1) {
    await scanLun(session, lun);
    const device = await findDevice(session, lun);
    if (device?.name !== undefined) return device;
    if (device !== undefined && (await isNoDisk(device))) break;
    // Its disk driver may be a moment behind.
    const late = device && (await waitFor(() => namedDevice(session, lun), { deadlineMs: 1000 }));
    if (late) return late;
    const pause = SCAN_PAUSES_MS[tries];
    if (pause === undefined) break;
    // What shows up as no disk stays so until it is asked anew.
    if (device !== undefined) await deleteDevice(device);
    await delay(pause);
  }
  throw noDisk(session, lun);
}

function noDisk(session: Session, lun: number): BlockhaulError {
  return new BlockhaulError("ERR_NOT_FOUND", {
    message: `the target ${session.iqn} shows no disk at LUN ${lun}`,
    hint: "check the LUN's number, and that the target lets this initiator see it",
  });
}

async function namedDevice(session: Session, lun: number): Promise<ScsiDevice | undefined> {
  const device = await findDevice(session, lun);
  return device?.name === undefined ? undefined : device;
}

async function openable(
  session: Session,
  device: ScsiDevice,
  isOurs: boolean,
): Promise<AttachedPath> {
  const { name, lun } = device;
  const identity = await identityOf(device);
  const node = name === undefined ? undefined : await nodeOf(name, NODE_DEADLINE_MS);
  if (name === undefined || identity === undefined || node === undefined) {
    throw new BlockhaulError("ERR_DEVICE_GONE", {
      message: `the device of ${placeOf(session, lun)} vanished, or has no node in /dev`,
      hint: "see whether udev runs and what its rules do with disks; the kernel's log (`dmesg`) has the device",
    });
  }
  if (identity.size === 0) {
    throw new BlockhaulError("ERR_IO", {
      message: `${placeOf(session, lun)} has no size: it is not ready`,
      hint: "see whether the target has taken the volume offline",
    });
  }
  return { name, node, identity, session, isOurs };
}

function isSame(one: DeviceIdentity, other: DeviceIdentity): boolean {
  return one.wwid === other.wwid && one.serial === other.serial && one.size === other.size;
}

function placeOf({ iqn, portal }: Session, lun: number): string {
  return `LUN ${lun} of ${iqn} at ${formatPortal(portal)}`;
}
