// Manifests, changed, with digests that are right again or not. What `verify` calls the same must be what the file says.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import { bytesOf } from "../kills/source.mjs";
import { runCommand } from "./command.mjs";
import { HOSTILE_TEXTS, mutateJson } from "./mutate.mjs";

const LEAF = 64 * 1024;
const CHUNK = 64 * LEAF;
/** Two chunks that are the same, and a short one. */
const SIZE = 2 * CHUNK + LEAF + 700;

/** @typedef {{ volume: Buffer, file: string, lines: string[] }} Base */

/** @type {Map<string, Base>} */
const bases = new Map();

/** @type {import("./worker.mjs").Fuzzer} */
export async function fuzz(random, folder) {
  const algorithm = random.pick(["sha256", "xxh3"]);
  const base = bases.get(algorithm) ?? (await makeBase(algorithm, folder));
  bases.set(algorithm, base);
  const lines = [...base.lines];
  const kind = random.below(5);
  const at = random.below(lines.length);
  if (kind === 0) lines.splice(at, 1);
  else if (kind === 1) lines.splice(random.below(lines.length), 0, lines[at] ?? "");
  else if (kind === 2) lines[at] = random.pick(HOSTILE_TEXTS);
  else {
    const { value } = mutateJson(random, JSON.parse(lines[at] ?? ""));
    lines[at] = JSON.stringify(value);
  }
  if (algorithm === "sha256" && random.chance(0.5)) sealWhole(lines);
  const text = lines.map((line) => `${line}\n`).join("");
  writeFileSync("manifest", random.chance(0.1) ? text.slice(0, random.below(text.length)) : text);
  const run = await runCommand(["verify", "-v", base.file, "--manifest", "manifest"]);
  const { faults } = run;
  if (run.exitCode === 0 && !isTrue(readFileSync("manifest", "utf8"), base)) {
    faults.push("it verifies, and says something else than the volume holds");
  }
  return {
    input: `${algorithm}: ${text.slice(0, 1500)}`,
    ended: `exit ${run.exitCode} ${run.code ?? ""}`,
    isTired: run.isTired,
    faults,
  };
}

/**
 * @param {string} algorithm
 * @param {string} parent
 * @returns {Promise<Base>}
 */
async function makeBase(algorithm, parent) {
  const folder = path.join(parent, `manifest-${algorithm}`);
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, "volume");
  const chunk = bytesOf(CHUNK, "manifest");
  const volume = Buffer.concat([chunk, chunk, bytesOf(SIZE - 2 * CHUNK, "end")]);
  writeFileSync(file, volume);
  const manifest = path.join(folder, "manifest");
  const run = await runCommand([
    ...["copy", "-v", "--no-journal", "--digest", algorithm, "--manifest", manifest, file, "null:"],
  ]);
  if (run.exitCode !== 0) throw new Error(run.stderr);
  const lines = readFileSync(manifest, "utf8").trimEnd().split("\n");
  return { volume, file, lines };
}

/** @param {string[]} lines get a digest of the whole that fits the chunks they have */
function sealWhole(lines) {
  try {
    const [first = "", ...rest] = lines;
    const header = JSON.parse(first);
    const chunks = rest.map((line) => JSON.parse(line)).filter((line) => "chunks" in line);
    lines[0] = JSON.stringify({ ...header, digest: `sha256:${wholeOf(header.size, chunks)}` });
  } catch {
    // What has no chunks has no digest either.
  }
}

/**
 * @param {number} size
 * @param {readonly { chunks: number, digest: string }[]} runs
 */
function wholeOf(size, runs) {
  const hash = createHash("sha256");
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(size));
  hash.update(length);
  for (const { chunks, digest } of runs) {
    for (let left = Math.min(chunks, 1000); left > 0; left -= 1) {
      hash.update(Buffer.from(digest, "hex"));
    }
  }
  return hash.digest("hex");
}

/**
 * Whether a manifest that was verified says what the volume holds, by docs/MANIFEST.md.
 *
 * @param {string} text
 * @param {Base} base
 */
function isTrue(text, { volume, lines }) {
  const parse = (/** @type {readonly string[]} */ all) => {
    const [header, ...rest] = all.map((line) => JSON.parse(line));
    const chunks = rest.flatMap(({ chunks: count, digest }) =>
      digest === undefined ? [] : Array.from({ length: count }, () => digest),
    );
    return { header, chunks, end: rest.at(-1)?.end };
  };
  const [told, was] = [parse(text.trimEnd().split("\n")), parse(lines)];
  const { header, chunks, end } = told;
  if (header.algorithm !== was.header.algorithm || end !== chunks.length) return false;
  const isWhole = header.size === was.header.size && header.digest === was.header.digest;
  if (isWhole) return chunks.join() === was.chunks.join();
  if (header.algorithm !== "sha256" || header.size > volume.length) return false;
  const right = chunksOf(volume.subarray(0, header.size));
  const whole = wholeOf(
    header.size,
    right.map((digest) => ({ chunks: 1, digest })),
  );
  return chunks.join() === right.join() && header.digest === `sha256:${whole}`;
}

/** @param {Buffer} bytes */
function chunksOf(bytes) {
  const digests = [];
  for (let at = 0; at < bytes.length; at += CHUNK) {
    const hash = createHash("sha256");
    const chunk = bytes.subarray(at, at + CHUNK);
    for (let leaf = 0; leaf < chunk.length; leaf += LEAF) {
      hash.update(
        createHash("sha256")
          .update(chunk.subarray(leaf, leaf + LEAF))
          .digest(),
      );
    }
    digests.push(hash.digest("hex"));
  }
  return digests;
}
