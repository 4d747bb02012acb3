import { BlockhaulError } from "../../errors.js";
import { type Program, runProgram } from "../../system/program.js";
import { listFolder } from "../../system/sysfs.js";

const TRANSPORT = "/sys/class/iscsi_transport/tcp";
const MODPROBE: Program = { name: "modprobe", package: "kmod" };
const DEADLINE_MS = 30_000;

/** Without the module, a discovery says that there are no targets. */
export async function ensureInitiator(): Promise<void> {
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
