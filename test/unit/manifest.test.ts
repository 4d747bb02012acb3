import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";

import { CHUNK } from "../../src/copy/chunks.js";
import {
  type ManifestHeader,
  parseManifestHeader,
  readManifest,
  writeManifest,
} from "../../src/manifest.js";
import type { ChunkRun } from "../../src/native.js";
import { Workspace } from "../support/workspace.js";

const workspace = new Workspace();
const file = workspace.path("manifest");
afterAll(() => workspace[Symbol.dispose]());

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length });
const end = fc.record({
  ref: fc.string(),
  identity: fc.string(),
  size: fc.nat(),
  blockSize: fc.nat(),
});
/** What a copy would write: runs that cover a size, which need not end with a chunk. */
const manifest = fc
  .constantFrom("xxh3" as const, "sha256" as const)
  .chain((algorithm) => {
    const digest = hex(algorithm === "xxh3" ? 32 : 64);
    return fc.record({
      source: end,
      target: end,
      algorithm: fc.constant(algorithm),
      digest: digest.map((text) => `${algorithm}:${text}`),
      runs: fc.array(fc.record({ count: fc.integer({ min: 1, max: 1e6 }), digest })),
      missing: fc.nat(CHUNK - 1),
    });
  })
  .map(({ runs, missing, ...header }) => {
    const chunks = runs.reduce((sum, { count }) => sum + count, 0);
    return { runs, header: { ...header, size: Math.max(0, chunks * CHUNK - missing) } };
  });

/** Of three chunks, by xxh3. */
function someManifest() {
  const end = { ref: "file:a", identity: "file:1:2", size: 3 * CHUNK, blockSize: 512 };
  const header = { source: end, target: end, size: 3 * CHUNK, digest: "xxh3:00" };
  const runs = ["00", "11", "22"].map((byte) => ({ count: 1, digest: byte.repeat(16) }));
  return { header: { ...header, algorithm: "xxh3" as const }, runs };
}

async function* each(runs: readonly ChunkRun[]) {
  yield* runs;
}

async function readAll() {
  const { header, chunks, close } = await readManifest(file);
  const runs: ChunkRun[] = [];
  try {
    for await (const run of chunks) runs.push(run);
  } finally {
    await close();
  }
  return { header, runs };
}

describe("a manifest", () => {
  it("says what was written into it", async () => {
    await fc.assert(
      fc.asyncProperty(manifest, async ({ header, runs }) => {
        await writeManifest(file, header, each(runs));
        const found = await readAll();
        expect(found.runs).toEqual(runs);
        expect(found.header).toMatchObject(header);
      }),
      { numRuns: 50 },
    );
    expect(readdirSync(workspace.folder)).toEqual(["manifest"]);
  });

  it("that is cut off anywhere is none", async () => {
    await fc.assert(
      fc.asyncProperty(manifest, fc.double({ min: 0, max: 1, noNaN: true }), async (all, share) => {
        await writeManifest(file, all.header, each(all.runs));
        // The last newline alone changes nothing.
        const bytes = readFileSync(file).subarray(0, -1);
        writeFileSync(file, bytes.subarray(0, Math.floor(share * (bytes.length - 1))));
        await expect(readAll()).rejects.toMatchObject({ code: "ERR_MANIFEST" });
      }),
      { numRuns: 100 },
    );
  });

  it("that ends with any whole line but its last is none", async () => {
    const { header, runs } = someManifest();
    await writeManifest(file, header, each(runs));
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    for (let kept = 0; kept < lines.length; kept += 1) {
      const text = lines.slice(0, kept).map((line) => `${line}\n`);
      writeFileSync(file, text.join(""));
      await expect(readAll()).rejects.toMatchObject({ code: "ERR_MANIFEST" });
    }
  });

  it("whose digests are none of its kind is none", async () => {
    const { header, runs } = someManifest();
    for (const digest of ["", "x".repeat(32), "AB".repeat(16), "ab".repeat(32), "ab".repeat(15)]) {
      await writeManifest(file, header, each([...runs.slice(1), { count: 1, digest }]));
      await expect(readAll()).rejects.toMatchObject({ code: "ERR_MANIFEST" });
    }
  });

  it("that somebody made up is read or refused, never anything else", async () => {
    const line = fc.oneof(
      fc.json(),
      fc.string(),
      fc.record({ chunks: fc.anything(), digest: fc.anything() }).map((value) => {
        try {
          return JSON.stringify(value);
        } catch {
          return "{}";
        }
      }),
      fc.record({ end: fc.integer() }).map((value) => JSON.stringify(value)),
    );
    const { header } = fc.sample(manifest, 1)[0] ?? {};
    const first = {
      format: "blockhaul-manifest",
      version: 1,
      ...header,
      leafSize: 65536,
      chunkSize: CHUNK,
    };
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(line), async (hasHeader, lines) => {
        writeFileSync(file, [...(hasHeader ? [JSON.stringify(first)] : []), ...lines].join("\n"));
        const code = await readAll().then(
          () => "read",
          (error) => error.code,
        );
        expect(["read", "ERR_MANIFEST"]).toContain(code);
      }),
      { numRuns: 200 },
    );
  });

  it("that has a line without an end is not held in memory", async () => {
    // A hole of 4 GiB, which no text could be.
    const huge = workspace.path("huge");
    writeFileSync(huge, "");
    truncateSync(huge, 4 * 1024 ** 3);
    await expect(readManifest(huge)).rejects.toMatchObject({
      code: "ERR_MANIFEST",
      message: expect.stringMatching(/line 1: it is too long/),
    });
    rmSync(huge);
  });

  it("is a regular file: no pipe is waited for", async () => {
    const pipe = workspace.path("pipe");
    execFileSync("mkfifo", [pipe]);
    for (const other of [pipe, workspace.folder, "/dev/zero"]) {
      await expect(readManifest(other)).rejects.toThrow(/line 1: it is no regular file/);
    }
    rmSync(pipe);
  });

  it("may name a volume whose name has a line's end of Unicode in it", async () => {
    const { header, runs } = someManifest();
    const source = { ...header.source, ref: "a\u2028b" };
    await writeManifest(file, { ...header, source }, each(runs));
    const opened = await readManifest(file);
    expect(opened.header.source).toEqual(source);
    await opened.close();
    await opened.close();
  });

  it.each<[string, Partial<Record<keyof ManifestHeader, unknown>>]>([
    ["of another format", { format: "other" }],
    ["of a later version", { version: 2 }],
    ["without a size", { size: undefined }],
    ["with a negative size", { size: -1 }],
    ["with a size that is no whole number", { size: 0.5 }],
    ["with other chunks", { chunkSize: 1024 }],
    ["with other leaves", { leafSize: 1024 }],
    ["with an algorithm that is not known", { algorithm: "md5", digest: "md5:00" }],
    ["with a digest of another kind", { digest: "sha256:00" }],
    ["without a source", { source: undefined }],
    ["with a target that has no ref", { target: { identity: "x", size: 5 } }],
  ])("%s is refused", (_, change) => {
    const ends = { ref: "a", identity: "file:1:2", size: 5, blockSize: 1 };
    const sound = {
      format: "blockhaul-manifest",
      version: 1,
      source: ends,
      target: ends,
      size: 5,
      leafSize: 65536,
      chunkSize: CHUNK,
      algorithm: "xxh3",
      digest: "xxh3:00",
      createdAt: "2026-01-01T00:00:00Z",
    };
    expect(parseManifestHeader(JSON.stringify(sound), "x")).toEqual(sound);
    expect(() => parseManifestHeader(JSON.stringify({ ...sound, ...change }), "x")).toThrowError(
      expect.objectContaining({ code: "ERR_MANIFEST", volume: "x" }),
    );
  });
});
