import { BlockhaulError } from "../../errors.js";
import { type Program, requireProgram, runProgram } from "../../system/program.js";
import { listFolder } from "../../system/sysfs.js";
import { ISCSIADM } from "./iscsiadm.js";

const TRANSPORT = "/sys/class/iscsi_transport/tcp";
const MODPROBE: Program = { name: "modprobe", package: "kmod" };
const DEADLINE_MS = 30_000;

/**
 * Sees to it that this process can log in here. Without the kernel's module, a discovery would say
 * that there are no targets.
 *
 * @throws BlockhaulError ERR_PERMISSION, ERR_DRIVER_UNAVAILABLE
 */
export async function ensureInitiator(): Promise<void> {
  if (process.geteuid?.() !== 0) {
    throw new BlockhaulError("ERR_PERMISSION", {
      message: "only root can attach iSCSI volumes and ask for targets",
      hint: "run it as root",
    });
  }
  requireProgram(ISCSIADM);
  const isThere = async () => (await listFolder(TRANSPORT)).length > 0;
  if (await isThere()) return;
  await runProgram(MODPROBE, ["iscsi_tcp"], { deadlineMs: DEADLINE_MS });
  if (await isThere()) return;
  throw new BlockhaulError("ERR_DRIVER_UNAVAILABLE", {
    message:
      "the kernel of this host has no iSCSI initiator: its module iscsi_tcp cannot be loaded",
    hint: "install the modules of the running kernel, and look at `modprobe -v iscsi_tcp`",
  });
}
