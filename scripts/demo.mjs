// npm run demo [-- --ceph] [-- --keep]: copies a small disk with a real file system in it from a file to a block
// device (with --ceph: to an RBD image of a throw-away cluster) and back to a file, and has other programs say
// whether the copies are right. Leaves nothing behind; --keep keeps the files.

import { spawn } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import path from "node:path";

import { startCeph } from "../test/support/ceph.mjs";
import { prepare } from "./lib/prepare.mjs";
import { main, root, Stop, say, tryRun } from "./lib/run.mjs";

const diskMiB = 256;
const generatedMiB = 128;

const slowly = ["--bwlimit", "100MiB"];

const mib = 1024 * 1024;
const command = path.join(root, "dist", "cli", "main.js");

/** What is to be undone, last first. */
const cleanups = /** @type {(() => Promise<unknown> | void)[]} */ ([]);

/** Set by Ctrl-C, which the terminal sends to the running command too, and by what we pass on to it. */
let interrupted = 0;
const terminate = new AbortController();
process.on("SIGINT", () => {
  interrupted = 130;
});
for (const signal of /** @type {const} */ (["SIGTERM", "SIGHUP"])) {
  process.on(signal, () => {
    interrupted = 128 + constants.signals[signal];
    terminate.abort();
  });
}

await main(async () => {
  const options = new Set(process.argv.slice(2));
  const unknown = [...options].filter((option) => option !== "--ceph" && option !== "--keep");
  if (unknown.length > 0) throw new Stop(`unknown option: ${unknown.join(" ")}`, 2);
  const withCeph = options.has("--ceph");
  await prepare(withCeph ? ["build", "demo", "ceph"] : ["build", "demo"]);

  const folder = mkdtempSync(path.join(tmpdir(), "blockhaul-demo-"));
  // The host's journals are not for disks that go with the demo.
  process.env.BLOCKHAUL_STATE_DIR = path.join(folder, "state");
  cleanups.push(() => {
    if (options.has("--keep")) say(`Files kept in ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  });
  try {
    await demonstrate(folder, withCeph);
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
});

/**
 * @param {string} folder
 * @param {boolean} withCeph
 */
async function demonstrate(folder, withCeph) {
  const source = path.join(folder, "disk.img");
  const copy = path.join(folder, "copy.img");
  say(`\nA disk of ${diskMiB} MiB with an ext4 file system full of files: ${source}`);
  await makeDisk(source);

  const middle = withCeph ? await makeRbdTarget(folder) : await makeBlockTarget(folder);
  say("--bwlimit slows the copies down, so that their progress bar is seen.");
  const first = await blockhaul("copy", ...slowly, ...middle.options, source, middle.ref);
  const second = await blockhaul("copy", ...slowly, middle.ref, copy);
  const third = await digestOf(copy);

  say("\nDo they agree? cmp and e2fsck know nothing of blockhaul.\n");
  const rows = [
    { name: source, digest: first, same: "-", check: await fileSystemCheck(source) },
    {
      name: middle.ref,
      digest: second,
      same: await compare(source, middle.ref),
      check: withCeph ? "-" : await fileSystemCheck(middle.ref),
    },
    {
      name: copy,
      digest: third,
      same: await compare(source, copy),
      check: await fileSystemCheck(copy),
    },
  ];
  printTable(rows);
  const agree = rows.every(
    ({ digest, same, check }) => digest === first && same !== "DIFFERS" && check !== "DAMAGED",
  );
  if (!agree || !first) throw new Stop("\nThey do not agree: this is a defect in blockhaul.");
  say("\nAll agree.");
}

/**
 * An ext4 image with real files in it: this checkout's sources and the TypeScript compiler, and random ones.
 *
 * @param {string} image
 */
async function makeDisk(image) {
  const tree = path.join(path.dirname(image), "tree");
  await step("mkdir", [tree]);
  const content = ["node_modules/typescript", "native", "src", "README.md"].map((name) =>
    path.join(root, name),
  );
  await step("cp", ["-r", "--", ...content, tree]);
  for (let file = 0; file < 8; file++) {
    await writeRandom(path.join(tree, `random-${file}`), generatedMiB / 8);
  }
  await step("mke2fs", ["-q", "-F", "-t", "ext4", "-L", "demo", "-d", tree, image, `${diskMiB}M`]);
  rmSync(tree, { recursive: true });
}

/**
 * A loop device, where this machine allows one; else a file. It is full of other bytes beforehand, so that a
 * zero that is not written shows.
 *
 * @param {string} folder
 */
async function makeBlockTarget(folder) {
  const file = path.join(folder, "target.img");
  await writeRandom(file, diskMiB);
  const { status, output } = await tryRun("losetup", ["--find", "--show", file], { capture: true });
  if (status === 0) {
    const device = output.trim();
    cleanups.push(() => tryRun("losetup", ["--detach", device], { capture: true }));
    say(`A block device, full of random bytes: ${device}`);
    return { ref: device, options: [] };
  }
  const reason = process.getuid?.() === 0 ? output.trim() : "only root may make one";
  say(`No loop device here (${reason}): a file full of random bytes stands for it: ${file}`);
  return { ref: file, options: [] };
}

/**
 * @param {string} file
 * @param {number} sizeMiB
 */
async function writeRandom(file, sizeMiB) {
  const bytes = Buffer.alloc(mib);
  for (let written = 0; written < sizeMiB; written++) {
    await appendFile(file, randomFillSync(bytes));
    stopIfInterrupted();
  }
}

/** @param {string} folder */
async function makeRbdTarget(folder) {
  say("A throw-away Ceph cluster on loopback (about 8 s) …");
  const cluster = await startCeph({ dir: path.join(folder, "ceph") });
  cleanups.push(() => cluster.stop());
  process.env.CEPH_CONF = cluster.conf;
  say(`Its configuration: CEPH_CONF=${cluster.conf}`);
  return { ref: "rbd:rbd/demo", options: ["--create"] };
}

/**
 * Runs the real command. Its progress bar needs the terminal: only its result is also read.
 *
 * @param {...string} args
 * @returns {Promise<string>} the digest in its summary; empty where there is none
 */
async function blockhaul(...args) {
  stopIfInterrupted();
  say(`\n$ blockhaul ${args.join(" ")}`);
  let output = "";
  const status = await new Promise((resolve) => {
    const child = spawn(process.execPath, [command, ...args], {
      stdio: ["inherit", "pipe", "inherit"],
      signal: terminate.signal,
    });
    child.stdout.on("data", (/** @type {Buffer} */ data) => {
      output += data.toString();
      process.stdout.write(data);
    });
    child.once("error", () => {}); // the abort; "close" follows
    child.once("close", (code) => resolve(code));
  });
  stopIfInterrupted();
  if (status !== 0) throw new Stop(`blockhaul failed (${status})`);
  return digestIn(output);
}

/** @param {string} ref */
async function digestOf(ref) {
  const output = await step(process.execPath, [
    command,
    "copy",
    "--progress",
    "none",
    ref,
    "null:",
  ]);
  return digestIn(output);
}

/** @param {string} output */
function digestIn(output) {
  return /\bxxh3:[0-9a-f]{32}\b/.exec(output)?.[0] ?? "";
}

/**
 * @param {string} source
 * @param {string} other
 */
async function compare(source, other) {
  const [command, args] = other.startsWith("rbd:")
    ? [
        "sh",
        ["-c", 'rbd export --no-progress "$0" - | cmp - "$1"', other.slice("rbd:".length), source],
      ]
    : ["cmp", ["--", source, other]];
  const { status } = await tryRun(command, args, { capture: true, signal: terminate.signal });
  stopIfInterrupted();
  return status === 0 ? "identical" : "DIFFERS";
}

/** @param {string} name */
async function fileSystemCheck(name) {
  const { status } = await tryRun("e2fsck", ["-fn", name], {
    capture: true,
    signal: terminate.signal,
  });
  stopIfInterrupted();
  return status === 0 ? "clean" : "DAMAGED";
}

/**
 * @param {string} name
 * @param {readonly string[]} args
 */
async function step(name, args) {
  const { status, output } = await tryRun(name, args, { capture: true, signal: terminate.signal });
  stopIfInterrupted();
  if (status !== 0) throw new Stop(`${output}\nfailed (${status}): ${name} ${args.join(" ")}`);
  return output;
}

function stopIfInterrupted() {
  if (interrupted) throw new Stop("\nStopped; cleaning up.", interrupted);
}

/** @param {readonly { name: string, digest: string, same: string, check: string }[]} rows */
function printTable(rows) {
  const lines = [["volume", "blockhaul's digest", "cmp", "e2fsck -fn"]];
  for (const { name, digest, same, check } of rows) lines.push([name, digest, same, check]);
  const widths = [0, 1, 2].map((column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  );
  for (const line of lines) {
    say(`  ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd());
  }
}
