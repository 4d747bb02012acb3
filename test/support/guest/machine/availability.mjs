import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { kernel, startKernel } from "./machine.mjs";
import { quietestCpu } from "./quietest-cpu.mjs";
import { compileShim } from "./shim.mjs";

const probeWithinMs = 120_000;

/**
 * Why no guest can run on this machine, in words. Only what the machine lacks counts: a guest that ought to run and
 * does not is a failure for the tests to report.
 *
 * @returns {Promise<string | undefined>} undefined where one can
 */
export async function whyNoGuest() {
  if (process.arch !== "x64") return `User-Mode Linux is for x86-64, and this is ${process.arch}`;
  if (process.getuid?.() !== 0) return "only root may give a guest its own process namespace";
  if (!existsSync(kernel)) return `${kernel} is missing (Debian's user-mode-linux)`;
  const missing = ["gcc", "setpriv", "prlimit", "taskset", "unshare"].filter(
    (program) => spawnSync(program, ["--version"]).error,
  );
  if (missing.length > 0) return `${missing.join(", ")} cannot be found`;
  return whyKernelRefuses();
}

/** Starts a kernel without anything to boot, for its own checks of what containers may forbid: ptrace above all. */
async function whyKernelRefuses() {
  const folder = mkdtempSync(path.join(tmpdir(), "blockhaul-guest-probe-"));
  try {
    const [shim, cpu] = await Promise.all([compileShim(folder), quietestCpu()]);
    const guest = startKernel(folder, shim, cpu, ["mem=64M", "con=null", "uml_dir=./"]);
    const limit = setTimeout(() => guest.kill("SIGKILL"), probeWithinMs);
    let said = "";
    const passed = await new Promise((resolve) => {
      const listen = (/** @type {Buffer} */ data) => {
        said += data;
        // The last of the checks.
        if (/PROT_EXEC mmap in .*OK/.test(said)) resolve(true);
      };
      guest.stdout.on("data", listen);
      guest.stderr.on("data", listen);
      guest.once("close", () => resolve(false));
    });
    clearTimeout(limit);
    guest.kill("SIGKILL");
    if (passed) return undefined;
    const last = said.trimEnd().split("\n").slice(-3).join(" / ") || "it says nothing";
    return `${kernel} cannot run here, perhaps because ptrace or namespaces are forbidden: ${last}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
