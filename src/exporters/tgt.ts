/** tgt, the iSCSI target in user space, through tgtadm. It tells its errors in the exit status, as errnos. */
import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";

import type { Portal } from "../connectors/connection.js";
import { BlockhaulError } from "../errors.js";
import { blockDeviceAt } from "../system/block-device.js";
import { type Ended, type Program, runProgram } from "../system/program.js";
import type { DeviceExport, Exporter } from "./exporter.js";
import { checkDevicePath, exportPortal, targetName, unitSerial } from "./names.js";
import { parseTargets, type TgtTarget } from "./tgt-output.js";

const TGTADM: Program = { name: "tgtadm", package: "tgt" };
const DEADLINE_MS = 15_000;

/** tgtd does not answer: ENOTCONN of its socket, ECONNREFUSED, ENOENT. */
const NOBODY_THERE = [107, 111, 2];

const LUN = 1;
/** Bytes; of the field that tgt makes the WWID of. */
const LONGEST_SCSI_ID = 24;
const MOST_TRIES = 5;

export const tgtExporter: Exporter = {
  name: "tgt",

  async create(wanted) {
    exportPortal(wanted.portal);
    const { id, identity } = wanted;
    const target = (await findTarget(id)) ?? (await makeTarget(id));
    if (!target.luns.some(({ lun }) => lun === LUN)) await makeLun(target, wanted);
    // Again, where an earlier call was cut off before: nobody is let in yet.
    const serial = unitSerial(identity);
    const params = `scsi_id=${serial.slice(0, LONGEST_SCSI_ID)},scsi_sn=${serial}`;
    await must(target, "logicalunit", "update", ["--lun", String(LUN), "--params", params]);
  },

  async admit(wanted) {
    const { id, device, identity, portal } = wanted;
    const target = await findTarget(id);
    if (target === undefined) throw vanished(id);
    const address = await sourceAddress(portal);
    if (!target.admitted.includes(address)) {
      await must(target, "target", "bind", ["--initiator-address", address]);
    }
    const { size } = await blockDeviceAt(device);
    return {
      portals: [portal],
      iqn: targetName(id),
      lun: LUN,
      expected: { serial: unitSerial(identity), size },
    };
  },

  async dismiss(id) {
    const target = await findTargetToRemove(id);
    for (const address of target?.admitted ?? []) {
      if (target) await must(target, "target", "unbind", ["--initiator-address", address]);
    }
  },

  async remove(id) {
    const target = await findTargetToRemove(id);
    if (target === undefined) return;
    const ended = await tgtadm("target", "delete", ["--force", "--tid", String(target.tid)]);
    if ((await findTargetToRemove(id)) !== undefined) throw failure("could not remove", id, ended);
  },
};

async function findTarget(id: string): Promise<TgtTarget | undefined> {
  return (await listTargets()).find(({ iqn }) => iqn === targetName(id));
}

/** A target does not outlive its tgtd. */
async function findTargetToRemove(id: string): Promise<TgtTarget | undefined> {
  try {
    return await findTarget(id);
  } catch (error) {
    if (error instanceof BlockhaulError && error.code === "ERR_DRIVER_UNAVAILABLE")
      return undefined;
    throw error;
  }
}

async function listTargets(): Promise<TgtTarget[]> {
  const ended = await tgtadm("target", "show", []);
  if (ended.status === 0) return parseTargets(ended.stdout);
  if (!NOBODY_THERE.includes(ended.status)) throw failure("could not list the targets", "", ended);
  throw new BlockhaulError("ERR_DRIVER_UNAVAILABLE", {
    message: "the iSCSI target tgtd does not answer",
    hint: "start it (`systemctl start tgt`), or export with target=lio",
  });
}

/** Others may take the same number meanwhile: then the next free one is tried. */
async function makeTarget(id: string): Promise<TgtTarget> {
  const iqn = targetName(id);
  for (let tries = 1; ; tries += 1) {
    const taken = new Set((await listTargets()).map(({ tid }) => tid));
    const tid = Array.from({ length: taken.size + 1 }, (_, index) => index + 1).find(
      (free) => !taken.has(free),
    );
    const ended = await tgtadm("target", "new", ["--tid", String(tid), "--targetname", iqn]);
    const made = await findTarget(id);
    if (made !== undefined) return made;
    if (tries === MOST_TRIES) throw failure("could not make", id, ended);
  }
}

/** Past tgtd's page cache: what is flushed through it shall be read back from the medium. */
async function makeLun(target: TgtTarget, { device }: DeviceExport): Promise<void> {
  const { blockSize } = await blockDeviceAt(checkDevicePath(device));
  await must(target, "logicalunit", "new", [
    ...["--lun", String(LUN), "--backing-store", device],
    ...["--bsoflags", "direct", "--blocksize", String(blockSize)],
  ]);
}

/** The address that this host comes from when it connects to one: nothing is sent for it. */
async function sourceAddress({ host, port }: Portal): Promise<string> {
  const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.connect(port, host, () => resolve());
    });
    return socket.address().address;
  } catch (cause) {
    throw new BlockhaulError("ERR_UNREACHABLE", {
      message: `this host has no way to its own portal ${host}`,
      cause,
    });
  } finally {
    socket.close();
  }
}

async function must(
  { tid, iqn }: TgtTarget,
  mode: string,
  op: string,
  args: readonly string[],
): Promise<void> {
  const ended = await tgtadm(mode, op, ["--tid", String(tid), ...args]);
  if (ended.status !== 0) throw failure(`could not ${op} a ${mode} of`, iqn, ended);
}

function tgtadm(mode: string, op: string, args: readonly string[]): Promise<Ended> {
  const command = ["--lld", "iscsi", "--mode", mode, "--op", op];
  return runProgram(TGTADM, [...command, ...args], { deadlineMs: DEADLINE_MS });
}

function failure(what: string, name: string, { status, stderr }: Ended): BlockhaulError {
  const reason = stderr.trim().split("\n")[0] || `exit status ${status}`;
  return new BlockhaulError("ERR_IO", {
    message: `tgt ${what} ${name}: ${reason}`.replace(" :", ":"),
    hint: "`tgtadm --mode target --op show` shows what there is",
  });
}

function vanished(id: string): BlockhaulError {
  return new BlockhaulError("ERR_NOT_FOUND", {
    message: `the target ${targetName(id)} vanished`,
    hint: "was tgtd started anew?",
  });
}
