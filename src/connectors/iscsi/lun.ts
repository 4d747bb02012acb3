import { setTimeout as delay } from "node:timers/promises";

import type { Attachment } from "../../attachments/attachment.js";
import { BlockhaulError, toBlockhaulError } from "../../errors.js";
import { waitFor } from "../../system/wait.js";
import type { DeviceIdentity } from "../connection.js";
import { type DeviceState, fateOf, isSameVolume } from "./identity.js";
import { askSession, locateLun, noDisk } from "./lun-address.js";
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
import { lunData, lunStep, removeDevice } from "./steps.js";

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
 * The device of one LUN of a session: there already, or made at the address that the target's own list gives. What
 * a LUN of that number left behind is removed first, if it is ours and nobody uses it: its device would show the
 * size and the identity of one volume and the content of another (CVE-2023-2088).
 *
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_IN_USE, ERR_WRONG_DEVICE, ERR_DEVICE_GONE, ERR_UNSUPPORTED, ERR_IO
 */
export async function attachLun(
  session: Session,
  lun: number,
  attachment: Attachment,
): Promise<AttachedPath> {
  const { address, isNew, isRecorded } = await locateLun(session, lun, attachment);
  const place = `LUN ${lun} of ${session.iqn} at ${formatPortal(session.portal)}`;
  const data = lunData(session, lun, address);
  const there = isNew ? undefined : await findDevice(session, address);
  if (there !== undefined) {
    if (await isNoDisk(there)) throw noDisk(session, lun, await askSession(session));
    // Of an attachment of ours, it goes with the last that uses it; another's is left where it is.
    const isOurs = await attachment.share(lunStep, data);
    const { state, now } = await lookAgain(there);
    const fate = fateOf(state, isOurs);
    if (fate === "use") return openable(session, there, place, isOurs);
    if (fate === "leave") throw notOurs(there, place, state, now);
    await removeLeftover(there, place, state);
  }
  if (isRecorded) await attachment.amend(lunStep, data);
  else if (there === undefined) await attachment.record(lunStep, data);
  return openable(session, await scan(session, lun, address), place, true);
}

/**
 * What became of a device that was there already, once the kernel has asked the LUN again what it is. One that was
 * resized has its new size by then, and is the same: whoever had it open sees that size, too, as with any disk
 * that the host rescans.
 */
async function lookAgain(
  device: ScsiDevice,
): Promise<{ state: DeviceState; now?: DeviceIdentity }> {
  const before = await identityOf(device);
  await askAgain(device);
  const now = await identityOf(device);
  if (now === undefined || device.name === undefined) return { state: "silent" };
  if (before === undefined || !isSameVolume(before, now)) return { state: "other", now };
  const node = await nodeOf(device.name, NODE_DEADLINE_MS);
  const state = node !== undefined && (await answers(node)) ? "same" : "silent";
  return { state, now };
}

const STATES: Readonly<Record<DeviceState, string>> = {
  same: "is as it was",
  other: "is left of an earlier volume",
  silent: "does not answer",
};

async function removeLeftover(
  device: ScsiDevice,
  place: string,
  state: DeviceState,
): Promise<void> {
  try {
    await removeDevice(device);
  } catch (error) {
    const cause = toBlockhaulError(error);
    if (cause.code !== "ERR_IN_USE") throw cause;
    throw new BlockhaulError("ERR_IN_USE", {
      message: `the device of ${place} ${STATES[state]}, and ${cause.message}`,
      hint: `stop what uses it, then try again; ${cause.hint ?? ""}`,
      cause,
    });
  }
}

/** Nobody told us that it may go: it may be what a person has in hand just now. */
function notOurs(
  { name = "the device", folder }: ScsiDevice,
  place: string,
  state: DeviceState,
  now: DeviceIdentity | undefined,
): BlockhaulError {
  const what = now?.serial ?? now?.wwid;
  return new BlockhaulError(state === "other" ? "ERR_WRONG_DEVICE" : "ERR_DEVICE_GONE", {
    message: `${name}, the device of ${place}, ${STATES[state]}${
      state === "other" && what !== undefined ? ` (the LUN is ${what} now)` : ""
    }; blockhaul did not make it, and does not remove it`,
    hint: `see who uses it (\`lsblk /dev/${name}\`, \`fuser -v /dev/${name}\`); if nobody does: \`echo 1 > ${folder}/delete\``,
  });
}

async function scan(session: Session, lun: number, address: number): Promise<ScsiDevice> {
  for (let tries = 0; ; tries += 1) {
    if (tries > 0 || (await findDevice(session, address)) === undefined) {
      await scanLun(session, address);
    }
    const device = await findDevice(session, address);
    if (device?.name !== undefined) return device;
    if (device !== undefined && (await isNoDisk(device))) break;
    // Its disk driver may be a moment behind.
    const late =
      device && (await waitFor(() => namedDevice(session, address), { deadlineMs: 1000 }));
    if (late) return late;
    const pause = SCAN_PAUSES_MS[tries];
    if (pause === undefined) break;
    // What shows up as no disk stays so until it is asked anew.
    if (device !== undefined) await deleteDevice(device);
    await delay(pause);
  }
  throw noDisk(session, lun, await askSession(session));
}

async function namedDevice(session: Session, address: number): Promise<ScsiDevice | undefined> {
  const device = await findDevice(session, address);
  return device?.name === undefined ? undefined : device;
}

async function openable(
  session: Session,
  device: ScsiDevice,
  place: string,
  isOurs: boolean,
): Promise<AttachedPath> {
  const { name } = device;
  const identity = await identityOf(device);
  const node = name === undefined ? undefined : await nodeOf(name, NODE_DEADLINE_MS);
  if (name === undefined || identity === undefined || node === undefined) {
    throw new BlockhaulError("ERR_DEVICE_GONE", {
      message: `the device of ${place} vanished, or has no node in /dev`,
      hint: "see whether udev runs and what its rules do with disks; the kernel's log (`dmesg`) has the device",
    });
  }
  if (identity.size === 0) {
    throw new BlockhaulError("ERR_IO", {
      message: `${place} has no size: it is not ready`,
      hint: "see whether the target has taken the volume offline",
    });
  }
  return { name, node, identity, session, isOurs };
}
