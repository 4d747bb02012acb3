/** At which address a session's target has a LUN: by its own list, never by trying what answers. */
import { stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import type { Attachment } from "../../attachments/attachment.js";
import { BlockhaulError, toBlockhaulError } from "../../errors.js";
import { native } from "../../native.js";
import { listFolder, readAttribute } from "../../system/sysfs.js";
import { waitFor } from "../../system/wait.js";
import {
  addressesOf,
  addressIn,
  isPlainAddress,
  listLuns,
  parseReportLuns,
  type ReportedLun,
} from "./report-luns.js";
import { devicesOf, findDevice, nodeOf, type ScsiDevice, scanLun } from "./scsi-device.js";
import type { Session } from "./sessions.js";
import { lunData, lunStep, removeDevice } from "./steps.js";

/** Milliseconds between two tries: a target may need a moment to show a LUN that it was just given. */
const PAUSES_MS = [500, 1500, 3000] as const;
const NODE_DEADLINE_MS = 10_000;
/** Vendor in the answer to INQUIRY. Those that sell LIO under a name of their own have few LUNs. */
const LIO = "LIO-ORG";

/** Where a LUN is, and what the search for that has done. */
export interface LocatedLun {
  readonly address: number;
  /** Its device is there because of the search. */
  readonly isNew: boolean;
  /** The LUN is a step of the attachment. */
  readonly isRecorded: boolean;
}

/**
 * Asks the target for its LUNs through any device of the session. Where there is none, the LUN's own is made, and
 * kept if the list has it there; where that does not come, LUN 0's, which is removed again.
 *
 * @throws BlockhaulError ERR_NOT_FOUND where the target does not report the LUN, naming those that it reports;
 *   ERR_UNSUPPORTED where it does not say what it has, and only that would tell the LUN's address
 */
export async function locateLun(
  session: Session,
  lun: number,
  attachment: Attachment,
): Promise<LocatedLun> {
  const search = new Search(session, lun, attachment);
  for (let tries = 0; ; tries += 1) {
    const pause = PAUSES_MS[tries];
    const found = await search.once(pause === undefined);
    if (found !== undefined) return found;
    if (pause === undefined) throw noDisk(session, lun, search.reported);
    await delay(pause);
  }
}

class Search {
  readonly #session: Session;
  readonly #lun: number;
  readonly #attachment: Attachment;
  #isRecorded = false;
  /** Of the device that it made last. */
  #made: number | undefined;
  reported: readonly ReportedLun[] | undefined;

  constructor(session: Session, lun: number, attachment: Attachment) {
    this.#session = session;
    this.#lun = lun;
    this.#attachment = attachment;
  }

  /** @param isLast all is tried that may bring the target's list, if only for the error */
  async once(isLast: boolean): Promise<LocatedLun | undefined> {
    const [likely, other] = addressesOf(this.#lun);
    this.reported = await askSession(this.#session);
    const believed = await this.#tryIfUnknown(likely);
    if (believed !== undefined) return this.#at(believed);
    if (isLast || !isPlainAddress(likely)) await this.#askLunZero();
    // A target that takes one address for another's has a LUN 0, and has told by now.
    await this.#tryIfUnknown(other);
    const address = this.reported && addressIn(this.reported, this.#lun);
    return address === undefined ? undefined : this.#at(address);
  }

  #at(address: number): LocatedLun {
    return { address, isNew: this.#made === address, isRecorded: this.#isRecorded };
  }

  /**
   * Makes the device of an address and asks the target through it; it stays if the LUN is there.
   *
   * @returns the address where the target says nothing, and no other LUN can be meant by it
   */
  async #tryIfUnknown(address: number): Promise<number | undefined> {
    if (this.reported !== undefined) return undefined;
    const there = await findDevice(this.#session, address);
    if (there === undefined) await this.#make(address);
    const device = there ?? (await findDevice(this.#session, address));
    if (device === undefined) return undefined;
    this.reported = await askThrough(device);
    if (this.reported === undefined && isPlainAddress(address)) return address;
    const isIt = this.reported !== undefined && addressIn(this.reported, this.#lun) === address;
    if (!isIt && there === undefined) await this.#takeBack(device);
    if (this.reported === undefined) throw saysNothing(this.#session, this.#lun);
    return undefined;
  }

  async #make(address: number): Promise<void> {
    const data = lunData(this.#session, this.#lun, address);
    if (this.#isRecorded) await this.#attachment.amend(lunStep, data);
    else await this.#attachment.record(lunStep, data);
    this.#isRecorded = true;
    await scanLun(this.#session, address);
    this.#made = address;
  }

  async #takeBack(device: ScsiDevice): Promise<void> {
    await removeDevice(device);
    this.#made = undefined;
  }

  /** tgt has a controller there, others a disk, and LIO nothing unless told. */
  async #askLunZero(): Promise<void> {
    if (this.reported !== undefined || (await findDevice(this.#session, 0)) !== undefined) return;
    if (this.#lun === 0) return;
    const data = lunData(this.#session, 0, 0);
    await this.#attachment.record(lunStep, data);
    await scanLun(this.#session, 0);
    const device = await findDevice(this.#session, 0);
    if (device !== undefined) {
      this.reported = await askThrough(device);
      // One that somebody took into use meanwhile goes with the attachment.
      const isGone = await removeDevice(device).then(
        () => true,
        () => false,
      );
      if (!isGone) return;
    }
    await this.#attachment.forget(lunStep, data);
  }
}

/** What the target of a session has, by the first of its devices through which it says so. */
export async function askSession(session: Session): Promise<ReportedLun[] | undefined> {
  for (const device of await devicesOf(session)) {
    const luns = await askThrough(device);
    if (luns !== undefined) return luns;
  }
  return undefined;
}

async function askThrough(device: ScsiDevice): Promise<ReportedLun[] | undefined> {
  const node = await commandNodeOf(device);
  if (node === undefined) return undefined;
  try {
    const vendor = await readAttribute(path.join(device.folder, "vendor"));
    return parseReportLuns(await native().reportLuns(node), { linear: vendor === LIO });
  } catch (error) {
    // A device that is dead, or a target that answers for LUN 0 alone: another may tell.
    if (toBlockhaulError(error).code === "ERR_PERMISSION") throw error;
    return undefined;
  }
}

/** A node that takes SCSI commands: a disk's own, or else that of bsg or sg. */
async function commandNodeOf({ name, folder }: ScsiDevice): Promise<string | undefined> {
  if (name !== undefined) return nodeOf(name, NODE_DEADLINE_MS);
  for (const [kind, nodes] of [
    ["bsg", "/dev/bsg"],
    ["scsi_generic", "/dev"],
  ] as const) {
    for (const entry of await listFolder(path.join(folder, kind))) {
      const node = path.join(nodes, entry);
      const there = async () => (await stat(node).catch(() => undefined))?.isCharacterDevice();
      if (await waitFor(there, { deadlineMs: NODE_DEADLINE_MS })) return node;
    }
  }
  return undefined;
}

export function noDisk(
  session: Session,
  lun: number,
  reported: readonly ReportedLun[] | undefined,
): BlockhaulError {
  const others =
    reported === undefined
      ? ", and none through which it could be asked for others"
      : `; it reports ${listLuns(reported)}`;
  return new BlockhaulError("ERR_NOT_FOUND", {
    message: `the target ${session.iqn} shows no disk at LUN ${lun}${others}`,
    hint: "check the LUN's number, and that the target lets this initiator see it",
  });
}

function saysNothing({ iqn }: Session, lun: number): BlockhaulError {
  return new BlockhaulError("ERR_UNSUPPORTED", {
    message: `the target ${iqn} does not say which LUNs it has: where its LUN ${lun} is cannot be known`,
    hint: "give the volume a LUN up to 255 at the target",
  });
}
