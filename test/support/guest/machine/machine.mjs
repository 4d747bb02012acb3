// A User-Mode-Linux guest: a kernel with SCSI, iSCSI and device-mapper, as a process, with this machine's files as
// its root (boot.sh says how). Nothing that is done in it reaches the host, but for the folder that they share.

import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  symlinkSync,
  truncateSync,
  watch,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { quietestCpu } from "./quietest-cpu.mjs";
import { compileShim } from "./shim.mjs";

export const kernel = "/usr/bin/linux.uml";
const bootScript = fileURLToPath(new URL("boot.sh", import.meta.url));

/** A guest that gave its command's status but cannot end, for a device hangs, is ended after that. */
const powerOffWithinMs = 3000;
/** A kernel that panicked loops for ever; this long for all that it has to say. */
const panicWithinMs = 500;
const keptOutput = 64 * 1024;

/**
 * @typedef {object} GuestOptions
 * @property {number} [memoryMiB] 1024 unless told
 * @property {readonly string[]} [images] files that are disks and outlive the guest: /dev/ubda, /dev/ubdb, …
 * @property {readonly number[]} [disksMiB] fresh disks: the names that follow
 * @property {readonly string[]} [modules] kernel modules to load first
 * @property {number} [timeLimitS] after which the guest is killed; 900 unless told: a busy machine needs five times what an idle one does
 * @property {number} [cpu] the processor that it runs on; the quietest unless told
 *
 * @typedef {object} RunOptions
 * @property {string} [cwd]
 * @property {Readonly<Record<string, string>>} [env]
 * @property {string} [share] the folder that is /host in the guest; a temporary one unless told
 * @property {AbortSignal} [powerCut] ends the guest at once, as a power cut would: see power-cut.mjs
 * @property {(text: string) => void} [onOutput]
 * @property {(text: string) => void} [onConsole]
 *
 * @typedef {object} GuestEnd
 * @property {number | undefined} status the command's; undefined where the guest ended before it
 * @property {string} how it ended, in words
 * @property {string} output the command's stdout and stderr, the last of it
 * @property {string} console what the guest's kernel said, the last of it
 */

/**
 * Runs a command as root in a guest of its own, to its end.
 *
 * @param {readonly string[]} command
 * @param {GuestOptions & RunOptions} [options]
 * @returns {Promise<GuestEnd>}
 */
export async function runGuest(command, options = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), "blockhaul-guest-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    const share = options.share ?? path.join(folder, "share");
    prepareShare(share, command, options);
    const [shims, cpu] = await Promise.all([
      Promise.all([
        compileShim(folder),
        ...(options.images === undefined ? [] : [compileShim(folder, "volatile-cache")]),
      ]),
      options.cpu === undefined ? quietestCpu() : options.cpu,
    ]);
    const guest = startKernel(
      folder,
      shims.join(":"),
      cpu,
      kernelArguments(folder, share, options),
    );
    return await untilEnded(guest, share, options);
  } finally {
    process.off("exit", remove);
    remove();
  }
}

/**
 * @param {string} share
 * @param {readonly string[]} command
 * @param {GuestOptions & RunOptions} options
 */
function prepareShare(share, command, { cwd = process.cwd(), env = {}, modules = [] }) {
  mkdirSync(share, { recursive: true });
  rmSync(path.join(share, "status"), { force: true });
  const boot = path.join(share, "boot");
  copyFileSync(bootScript, boot);
  chmodSync(boot, 0o755);
  writeFileSync(path.join(share, "modules"), modules.map((name) => `${name}\n`).join(""));
  const lines = [
    `cd ${quoted(cwd)} || exit`,
    ...Object.entries(env).map(([name, value]) => `export ${name}=${quoted(value)}`),
    `exec ${command.map(quoted).join(" ")}`,
  ];
  writeFileSync(path.join(share, "command"), `${lines.join("\n")}\n`);
}

/** @param {string} text */
function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * @param {string} folder
 * @param {string} share
 * @param {GuestOptions} options
 */
function kernelArguments(folder, share, { memoryMiB = 1024, images = [], disksMiB = [] }) {
  const fresh = disksMiB.map((size, index) => {
    const file = path.join(folder, `fresh${index}`);
    writeFileSync(file, "");
    truncateSync(file, size * 1024 * 1024);
    return file;
  });
  const disks = [...images, ...fresh].map((file, index) => {
    const name = `disk${index}`;
    symlinkSync(path.resolve(file), path.join(folder, name));
    return `ubd${index}=${name}`; // from the kernel's working directory: no character of a path can disturb
  });
  return [
    `mem=${memoryMiB}M`,
    ...disks,
    "root=/dev/root",
    "rootfstype=hostfs",
    "rootflags=/",
    "ro",
    `init="${path.join(share, "boot")}"`,
    "uml_dir=./",
    "umid=guest",
    "quiet",
    "loglevel=5",
    // The console is stderr, the first terminal is stdout, and there are no others.
    "con=null",
    "con0=null,fd:2",
    "con1=null,fd:1",
    "ssl=null",
  ];
}

/**
 * The kernel is the first process of its own process namespace, which the host's kernel ends with this process,
 * however that ends: none of the guest's processes outlives it.
 *
 * @param {string} folder
 * @param {string} shim libraries, with colons between them
 * @param {number} cpu
 * @param {readonly string[]} args
 */
export function startKernel(folder, shim, cpu, args) {
  const command = [
    ["setpriv", "--pdeathsig", "KILL"],
    ["prlimit", "--core=0"],
    // On two processors it is half as fast: its processes take turns, and each turn would wake the other one.
    ["taskset", "--cpu-list", String(cpu)],
    // Only /proc is made private, by --mount-proc itself. A root that is no mount point cannot be: that of a chroot.
    ["unshare", "--pid", "--fork", "--kill-child", "--propagation", "unchanged", "--mount-proc"],
    ["env", `LD_PRELOAD=${shim}`, kernel, ...args],
  ];
  const [program = "", ...rest] = command.flat();
  return spawn(program, rest, {
    cwd: folder,
    env: { PATH: process.env.PATH, TMPDIR: memoryFolder(args) },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/**
 * Where the guest's memory lies. Containers often have a small /dev/shm, and a guest that fills it dies.
 *
 * @param {readonly string[]} args
 */
function memoryFolder(args) {
  const size = Number(/^mem=(\d+)M$/m.exec(args.join("\n"))?.[1] ?? 0) * 1024 * 1024;
  if (!existsSync("/dev/shm")) return tmpdir();
  const { bavail, bsize } = statfsSync("/dev/shm");
  return bavail * bsize >= size ? "/dev/shm" : tmpdir();
}

/**
 * @param {ReturnType<typeof startKernel>} guest
 * @param {string} share
 * @param {GuestOptions & RunOptions} options
 * @returns {Promise<GuestEnd>}
 */
async function untilEnded(guest, share, { timeLimitS = 900, powerCut, onOutput, onConsole }) {
  const statusFile = path.join(share, "status");
  const end = new Deadline(() => guest.kill("SIGKILL"));
  end.within(timeLimitS * 1000, `it was killed after its time limit of ${timeLimitS} s`);
  const cut = () => end.within(0, "its power was cut");
  powerCut?.addEventListener("abort", cut);
  const output = collect(guest.stdout, onOutput);
  const console = collect(guest.stderr, (text, all) => {
    if (all.includes("Kernel panic")) end.within(panicWithinMs, "its kernel panicked");
    onConsole?.(text);
  });
  const watcher = watch(share, (_, name) => {
    if (name === "status") end.within(powerOffWithinMs, "it did not power off");
  });
  try {
    const [code, signal] = await once(guest, "close"); // of the pipes too: no process has them any more
    const text = existsSync(statusFile) ? readFileSync(statusFile, "utf8").trim() : "";
    const status = text === "" ? undefined : Number(text);
    const how =
      status !== undefined
        ? `its command ended with ${status}`
        : (end.reached ?? `it ended on its own (${signal ?? `exit ${code}`})`);
    return { status, how, output: output(), console: console() };
  } finally {
    end.clear();
    powerCut?.removeEventListener("abort", cut);
    watcher.close();
  }
}

/** The soonest of several moments at which something is to be ended. */
class Deadline {
  /** @type {string | undefined} why, once it was ended */
  reached;
  #at = Number.POSITIVE_INFINITY;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;

  /** @param {() => void} end */
  constructor(end) {
    this.end = end;
  }

  /**
   * @param {number} ms
   * @param {string} why
   */
  within(ms, why) {
    if (performance.now() + ms >= this.#at) return;
    this.#at = performance.now() + ms;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.reached = why;
      this.end();
    }, ms);
  }

  clear() {
    clearTimeout(this.#timer);
  }
}

/**
 * @param {import("node:stream").Readable} stream
 * @param {((text: string, all: string) => void) | undefined} listener
 * @returns {() => string} gives the last of what came
 */
function collect(stream, listener) {
  let text = "";
  stream.setEncoding("utf8");
  stream.on("data", (/** @type {string} */ data) => {
    text = (text + data).slice(-keptOutput);
    listener?.(data, text);
  });
  return () => text;
}
