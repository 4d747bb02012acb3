/**
 * Every pair of kinds of volumes gives identical bytes, for odd sizes and contents of all shapes. Each week a third of the
 * sizes and contents is tried with every pair; BLOCKHAUL_CELLS=all tries all.
 */
import { copyVolume, openVolume, registerDriver } from "blockhaul";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { recordCount } from "../../scripts/lib/results.mjs";
import { chosenPart, itemsOf } from "../../scripts/lib/rotation.mjs";
import { type ContentKind, contentKinds } from "../support/content.js";
import { JsVolumes } from "../support/js-volumes.js";
import { LoopDevices } from "../support/loop.js";
import {
  makeSource,
  type Source,
  type SourceKind,
  type Stock,
  sizeUnitOf,
  sourceKinds,
} from "../support/matrix-sources.js";
import {
  makeTarget,
  type TargetKind,
  targetKinds,
  targetStates,
} from "../support/matrix-targets.js";
import { Oracle } from "../support/oracle.js";
import { Random, testSeed } from "../support/random.js";
import { RbdPool } from "../support/rbd-pool.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const SIZES = [1, 511, 512, 513, 4095, 4096, 4 * MiB - 1, 4 * MiB, 4 * MiB + 1];

const part = chosenPart("kinds of copies", { all: process.env.BLOCKHAUL_CELLS === "all" });
let copies = 0;

let stock: Stock;
const sources = new Map<string, Source>();

beforeAll(async () => {
  console.log(`BLOCKHAUL_TEST_SEED=${testSeed} repeats this run's choices`);
  const pool = await RbdPool.create(inject("cephConf"), "matrix");
  stock = {
    pool,
    oracle: new Oracle({ conf: pool.conf, pool: pool.name }),
    workspace: new Workspace(),
    loops: new LoopDevices(),
    js: new JsVolumes(),
  };
  registerDriver(stock.js.driver);
});

afterAll(async () => {
  delete process.env.BLOCKHAUL_IO;
  recordCount("matrix", {
    what: `copies between kinds of volumes, part ${part.index} of ${part.of}`,
    count: copies,
    command: "BLOCKHAUL_CELLS=all npm test -- matrix",
  });
  await stock?.oracle[Symbol.asyncDispose]();
  await stock?.loops[Symbol.asyncDispose]();
  stock?.workspace[Symbol.dispose]();
  await stock?.pool[Symbol.asyncDispose]();
});

describe.each(sourceKinds)("%s", (sourceKind) => {
  test.each(targetKinds)(`${sourceKind} to %s`, async (targetKind) => {
    for (const { size, contentKind } of cellsOf(sourceKind)) {
      await copyAndJudge(sourceKind, targetKind, contentKind, size);
    }
  });

  test(`${sourceKind} is as it was`, async () => {
    for (const { size, contentKind } of cellsOf(sourceKind)) {
      const source = await sourceFor(sourceKind, contentKind, size);
      expect(await source.check(), `${contentKind}, ${size} bytes`).toBeNull();
    }
  });
});

describe.each(["file", "rbd", "js"] as const)("a new %s", (kind) => {
  const size = 3 * MiB + 513;

  test.each(["a write", "a copy", "a copy that was stopped"])(
    "is not taken for empty after %s",
    async (what) => {
      const random = new Random(`new ${kind} ${what}`);
      const target = await makeTarget(stock, kind, "new", size, random);
      const full = await sourceFor("file", "data", size);
      const empty = await sourceFor("file", "zero", size);
      if (what === "a write") {
        await target.volume.write(random.bytes(4096), { position: 70_000 });
      } else {
        await using source = await openVolume(full.ref);
        const controller = new AbortController();
        const copying = copyVolume(source, target.volume, {
          requestSize: 64 * 1024,
          signal: controller.signal,
          progressIntervalMs: 1,
          bandwidthLimit: what === "a copy" ? 0 : MiB,
          onProgress: ({ written }) => {
            if (what !== "a copy" && written > 0) controller.abort();
          },
        });
        if (what === "a copy") await copying;
        else await expect(copying).rejects.toMatchObject({ code: "ERR_CANCELLED" });
      }
      {
        await using source = await openVolume(empty.ref);
        expect(await copyVolume(source, target.volume)).toMatchObject({ size });
      }
      expect(await target.check(empty.content)).toBeNull();
      await target.volume.close();
    },
  );
});

/** Sizes as a device has them: what it cannot have becomes the next larger. */
function cellsOf(kind: SourceKind): { size: number; contentKind: ContentKind }[] {
  const unit = sizeUnitOf(kind);
  const sizes = [...new Set(SIZES.map((size) => Math.ceil(size / unit) * unit))];
  const all = sizes.flatMap((size) => contentKinds.map((contentKind) => ({ size, contentKind })));
  return itemsOf(all, part);
}

async function sourceFor(
  kind: SourceKind,
  contentKind: ContentKind,
  size: number,
): Promise<Source> {
  const label = `${kind} ${contentKind} ${size}`;
  const source = sources.get(label) ?? (await makeSource(stock, kind, contentKind, size));
  sources.set(label, source);
  return source;
}

async function copyAndJudge(
  sourceKind: SourceKind,
  targetKind: TargetKind,
  contentKind: ContentKind,
  size: number,
) {
  const random = new Random(`${sourceKind} ${targetKind} ${contentKind} ${size}`);
  const state = random.pick(targetStates);
  const options = {
    requestSize: random.pick([64 * 1024, 256 * 1024, MiB, 4 * MiB]),
    requests: random.pick([1, 2, 16, 64]),
    threads: random.pick([1, 1, 3]),
    useExtents: random.chance(0.7),
    digest: random.pick(["xxh3", "sha256"]),
  };
  const io = random.pick(["uring", "threads"]);
  const label = `${contentKind}, ${size} bytes, ${state} target, ${io}, ${JSON.stringify(options)}`;
  process.env.BLOCKHAUL_IO = io;
  const { ref, content } = await sourceFor(sourceKind, contentKind, size);
  const target = await makeTarget(stock, targetKind, state, size, random);
  try {
    await using source = await openVolume(ref);
    expect(source.size).toBe(size);
    const report = await copyVolume(source, target.volume, options);
    const digest = await stock.oracle.digest(options.digest, { path: content.path });
    expect(report).toMatchObject({ size, digest });
    expect(report.written + report.zeroed + report.skipped).toBe(size);
    // Before the close, which might flush: what a copy reports as done is on the medium.
    expect(await target.check(content)).toBeNull();
    copies += 1;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${label}: ${message}`, { cause: error });
  } finally {
    await target.volume.close();
  }
}
