// Journals of copies that were cut short, changed, with right checksums. What a resume calls done must hold the source's
// bytes.

import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { BlockhaulError, copyVolume, openVolume } from "../../out/modules/index.js";

import { bytesOf } from "../kills/source.mjs";
import { runCommand } from "./command.mjs";
import { HOSTILE_TEXTS, mutateJson } from "./mutate.mjs";

const MiB = 1024 ** 2;
const CHUNK = 4 * MiB;
/** Four chunks, of which the last is short. */
const SIZE = 3 * CHUNK + 100 * 1024;

const DIGESTS = /** @type {const} */ (["xxh3", "sha256", "none"]);
const KIND = { header: 1, checkpoint: 2, rewind: 3, bad: 4, note: 5 };

/** @typedef {{ kind: number, payload: Buffer }} Frame */
/** @typedef {{ id: string, journal: Buffer, folder: string, source: Buffer, target: Buffer }} Base */

/** @type {Map<string, Base>} */
const bases = new Map();

/** @type {import("./worker.mjs").Fuzzer} */
export async function fuzz(random, folder) {
  const digest = random.pick(DIGESTS);
  const base = bases.get(digest) ?? (await makeBase(digest, folder));
  bases.set(digest, base);
  const [source, target] = [path.join(base.folder, "source"), path.join(base.folder, "target")];
  // In their places: they are known by their inodes.
  writeFileSync(source, base.source, { flag: "r+" });
  const isLost = random.chance(0.3);
  const there = Buffer.from(base.target);
  if (isLost) there.fill(random.below(256), random.below(SIZE));
  writeFileSync(target, there, { flag: "r+" });

  const { salt, frames } = parseJournal(base.journal);
  const what = [];
  for (let left = 1 + (random.chance(0.3) ? 1 : 0); left > 0; left -= 1) {
    what.push(mutateFrames(random, frames));
  }
  const state = path.resolve("state");
  mkdirSync(path.join(state, "jobs/targets"), { recursive: true, mode: 0o700 });
  const file = path.join(state, "jobs", `${base.id}.journal`);
  writeFileSync(file, await sealJournal(salt, frames), { mode: 0o600 });

  const listed = await runCommand(["jobs", "-v"]);
  const shown = await runCommand(["jobs", "show", base.id, "-v"]);
  const flags = ["--fast", "--overwrite", "--verify", "--repair", "--json"].filter(() =>
    random.chance(0.25),
  );
  const resumed = await runCommand(["resume", base.id, "-v", "--progress", "none", ...flags]);
  const faults = [listed, shown, resumed].flatMap((run) => run.faults);
  if (listed.exitCode !== 0) faults.push(`\`jobs\` ends with ${listed.exitCode}: ${listed.stderr}`);
  if (!readFileSync(source).equals(base.source)) faults.push("the source was changed");
  if (resumed.exitCode === 0 && !readFileSync(target).equals(base.source)) {
    faults.push(`resumed, and the target is not the source: ${resumed.stderr}`);
  }
  return {
    input: `${digest}, ${what.join("; ")}${isLost ? "; a target that lost bytes" : ""}; ${flags.join(" ")}`,
    ended: `exit ${resumed.exitCode} ${resumed.code ?? ""}`,
    isTired: [listed, shown, resumed].some(({ isTired }) => isTired),
    faults,
  };
}

/**
 * A copy that was cut short.
 *
 * @param {typeof DIGESTS[number]} digest
 * @param {string} parent
 * @returns {Promise<Base>}
 */
async function makeBase(digest, parent) {
  const folder = path.join(parent, `journal-${digest}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const files = { source: path.join(folder, "source"), target: path.join(folder, "target") };
  writeFileSync(files.source, bytesOf(SIZE, "journal"));
  writeFileSync(files.target, Buffer.alloc(SIZE));
  const source = await openVolume(files.source);
  const target = await openVolume(files.target, { mode: "write" });
  const stop = new AbortController();
  let id = "";
  try {
    await copyVolume(source, target, {
      digest,
      journal: true,
      stateDirectory: path.join(folder, "state"),
      checkpointIntervalMs: 1,
      requests: 1,
      requestSize: 256 * 1024,
      memory: 256 * 1024,
      bandwidthLimit: 40 * MiB,
      progressIntervalMs: 1,
      signal: stop.signal,
      onJob: (job) => {
        id = job;
      },
      onProgress: (progress) => {
        if (progress.done > 2 * CHUNK + MiB) stop.abort();
      },
    });
    throw new Error("the copy that was to be cut short has ended");
  } catch (error) {
    if (!(error instanceof BlockhaulError) || error.code !== "ERR_CANCELLED") throw error;
  } finally {
    await source.close();
    await target.close();
  }
  const journal = readFileSync(path.join(folder, "state/jobs", `${id}.journal`));
  const [from, to] = [readFileSync(files.source), readFileSync(files.target)];
  return { id, journal, folder, source: from, target: to };
}

/** @param {Buffer} journal */
function parseJournal(journal) {
  /** @type {Frame[]} */
  const frames = [];
  for (let at = 16; at < journal.length; ) {
    const length = journal.readUInt32LE(at);
    frames.push({
      kind: journal.readUInt32LE(at + 4),
      payload: Buffer.from(journal.subarray(at + 16, at + 16 + length)),
    });
    at += 16 + length;
  }
  return { salt: journal.readBigUInt64LE(8), frames };
}

/** @type {((hex: string) => void)[]} */
const waiting = [];
/** @type {import("node:child_process").ChildProcessByStdio<import("node:stream").Writable, import("node:stream").Readable, null> | undefined} */
let sealer;

/**
 * @param {bigint} salt
 * @param {readonly Frame[]} frames
 * @returns {Promise<Buffer>}
 */
async function sealJournal(salt, frames) {
  if (sealer === undefined) {
    const script = fileURLToPath(new URL("journal_frames.py", import.meta.url));
    sealer = spawn("/usr/bin/python3", [script], { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: sealer.stdout }).on("line", (line) => waiting.shift()?.(line));
  }
  const { stdin } = sealer;
  const hex = await new Promise((/** @type {(hex: string) => void} */ resolve) => {
    waiting.push(resolve);
    const texts = frames.map(({ kind, payload }) => [kind, payload.toString("hex")]);
    stdin.write(`${JSON.stringify({ salt: String(salt), frames: texts })}\n`);
  });
  return Buffer.from(hex, "hex");
}

/** A number at the end of what 8 bytes hold, or near a bound of the volume's. */
const NUMBERS = /** @type {readonly [bigint, ...bigint[]]} */ ([
  0n,
  1n,
  BigInt(CHUNK),
  BigInt(2 * CHUNK),
  BigInt(3 * CHUNK),
  BigInt(4 * CHUNK),
  BigInt(SIZE),
  BigInt(SIZE - 1),
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
  2n ** 64n - BigInt(CHUNK),
]);

/**
 * @param {import("./mutate.mjs").Random} random
 * @param {Frame[]} frames are changed
 * @returns {string} how
 */
function mutateFrames(random, frames) {
  const kind = random.below(9);
  const at = random.below(frames.length);
  const frame = frames[at];
  const checkpoints = frames.filter((one) => one.kind === KIND.checkpoint);
  const [header] = frames;
  if (header === undefined || frame === undefined) return "no frames are left";
  if (kind <= 2) return mutateTexts(random, frames, kind > 0);
  if (kind === 3) {
    const place = random.pick([0, 8]);
    const value = random.pick(NUMBERS);
    header.payload.writeBigUInt64LE(value, place);
    return `${place === 0 ? "size" : "base"} ${value}`;
  }
  if (kind === 4) {
    header.payload[16] = random.below(5);
    return `digest kind ${header.payload[16]}`;
  }
  const [first, ...rest] = checkpoints;
  if (kind === 5 && first !== undefined) {
    const { payload } = random.pick([first, ...rest]);
    const place = payload.length > 16 && random.chance(0.5) ? 8 : 0;
    const value = random.pick(NUMBERS);
    payload.writeBigUInt64LE(value, place);
    return `${place === 0 ? "frontier" : "run of"} ${value}`;
  }
  if (kind === 6) return mutateOrder(random, frames, at);
  if (kind === 7) {
    const payload = Buffer.alloc(8 * (1 + random.below(4)));
    for (let place = 0; place < payload.length; place += 8) {
      payload.writeBigUInt64LE(random.pick(NUMBERS), place);
    }
    const added = random.pick([KIND.checkpoint, KIND.rewind, KIND.bad, 6, 255, 2 ** 31]);
    frames.push({ kind: added, payload });
    return `a frame of kind ${added} more, ${payload.toString("hex")}`;
  }
  if (frame.payload.length === 0) return "nothing";
  const byte = random.below(frame.payload.length);
  frame.payload.writeUInt8(random.below(256), byte);
  return `byte ${byte} of frame ${at}`;
}

/**
 * @param {import("./mutate.mjs").Random} random
 * @param {Frame[]} frames
 * @param {number} at
 */
function mutateOrder(random, frames, at) {
  const [taken] = frames.splice(at, 1);
  if (taken === undefined || random.chance(0.3)) return `without frame ${at}`;
  const to = random.below(frames.length + 1);
  frames.splice(to, 0, taken);
  if (random.chance(0.3)) frames.splice(to, 0, { ...taken, payload: Buffer.from(taken.payload) });
  return `frame ${at} at ${to}`;
}

/**
 * @param {import("./mutate.mjs").Random} random
 * @param {Frame[]} frames
 * @param {boolean} ofHeader
 */
function mutateTexts(random, frames, ofHeader) {
  const [header] = frames;
  const notes = frames.filter(({ kind }) => kind === KIND.note);
  const [first = header, ...rest] = notes;
  const frame = ofHeader ? header : first && random.pick([first, ...rest]);
  if (frame === undefined) return "nothing";
  const start = frame === header ? 17 : 0;
  if (random.chance(0.05)) {
    const text = Buffer.from(random.pick(HOSTILE_TEXTS));
    frame.payload = Buffer.concat([frame.payload.subarray(0, start), text]);
    return `no JSON ${JSON.stringify(text.toString())}`;
  }
  const before = frame.payload.subarray(start).toString();
  /** @type {unknown} */
  let parsed;
  try {
    parsed = JSON.parse(before);
  } catch {
    return "nothing";
  }
  const { value } = mutateJson(random, parsed);
  const text = JSON.stringify(value) ?? "null";
  frame.payload = Buffer.concat([frame.payload.subarray(0, start), Buffer.from(text)]);
  return `JSON ${text.slice(0, 1500)}`;
}
