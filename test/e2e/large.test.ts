/** Volumes larger than the memory that a copy may take: the bytes are right, no hole is filled, memory stays bounded. */
import { execFile } from "node:child_process";
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { promisify } from "node:util";
import { copyVolume, openVolume, registerDriver } from "blockhaul";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { measuredCopy } from "../support/command.js";
import { makeContent } from "../support/content.js";
import { JsVolumes } from "../support/js-volumes.js";
import { LoopDevices } from "../support/loop.js";
import { Oracle, type Range } from "../support/oracle.js";
import { Random, testSeed } from "../support/random.js";
import { RbdPool } from "../support/rbd-pool.js";
import { makeSparseFile, SparseStore, scatter } from "../support/sparse.js";
import { Workspace } from "../support/workspace.js";

const execute = promisify(execFile);

const KiB = 1024;
const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const SPARSE = 64 * GiB;
const PIECE = 64 * KiB;
const PIECES = 2048;
const DATA = PIECES * PIECE;
/** The file system's and Ceph's own records of where the data is. */
const RECORDS = 2 * MiB;
/** A disk that is told of every block that becomes free takes its time to remove files in many pieces. */
const CLEAN_UP_MS = 180_000;

const workspace = new Workspace();
const loops = new LoopDevices();
const volumes = new JsVolumes();
let pool: RbdPool;
let oracle: Oracle;

beforeAll(async () => {
  console.log(`BLOCKHAUL_TEST_SEED=${testSeed} repeats this run's choices`);
  registerDriver(volumes.driver);
  pool = await RbdPool.create(inject("cephConf"), "large");
  oracle = new Oracle({ conf: pool.conf, pool: pool.name });
});

afterAll(async () => {
  await oracle?.[Symbol.asyncDispose]();
  await loops[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
  await pool?.[Symbol.asyncDispose]();
}, CLEAN_UP_MS);

test("1 GiB of random extents, from a file over RBD and a device back to a file", async () => {
  const source = workspace.path("gigabyte");
  makeContent("random", GiB, source, new Random("gigabyte"));
  const device = await loops.attachNew(workspace.path("gigabyte-device"), GiB, {
    sectorSize: 4096,
  });
  const back = workspace.path("gigabyte-back");
  const image = "gigabyte";

  const digest = await oracle.digest("xxh3", { path: source });
  for (const args of [
    ["--create", source, pool.ref(image)],
    ["--threads", "2", pool.ref(image), device.path],
    ["--requests", "8", "--request-size", "4MiB", device.path, back],
  ]) {
    expect((await measuredCopy(args)).report).toMatchObject({ size: GiB, digest });
  }
  await execute("cmp", [source, back]);
  await execute("cmp", [source, device.backing]);
  expect(await oracle.compare({ image }, source, GiB)).toBeNull();
});

describe("64 GiB with 2048 pieces of 64 KiB", () => {
  const source = workspace.path("sparse");
  const random = new Random("sparse");
  const image = "sparse";
  let pieces: readonly Range[];

  beforeAll(() => {
    pieces = scatter({ size: SPARSE, count: PIECES, length: PIECE, alignment: 4 * KiB }, random);
    makeSparseFile(source, SPARSE, pieces, random);
  });

  /** A volume of the same size that holds something else, here and there. */
  function makeOther(path: string): readonly Range[] {
    const others = scatter(
      { size: SPARSE, count: PIECES / 8, length: PIECE, alignment: 4 * KiB },
      random,
    );
    makeSparseFile(path, SPARSE, others, random);
    return others;
  }

  /** The first copy's digest is what all others must find. */
  let digest: string;
  async function copy(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const { report } = await measuredCopy(args, env);
    judgeReport(report);
  }
  function judgeReport(report: object) {
    digest ??= (report as { digest: string }).digest;
    expect(report).toMatchObject({ size: SPARSE, written: DATA, digest });
  }

  async function judgeFile(path: string) {
    const allocated = statSync(path).blocks * 512;
    expect(allocated).toBeGreaterThanOrEqual(DATA);
    expect(allocated).toBeLessThanOrEqual(DATA + RECORDS);
    expect(await oracle.compareSparse({ path }, { path: source })).toBeNull();
  }

  test("from file to a new file", async () => {
    const path = workspace.path("new");
    await copy([source, path]);
    await judgeFile(path);
  });

  test("from file to a file that holds other bytes", async () => {
    const path = workspace.path("old");
    makeOther(path);
    await copy([source, path], { BLOCKHAUL_IO: "threads" });
    await judgeFile(path);
  });

  test("from file to RBD, to another image, and back to a file", async () => {
    const before = await pool.allocated();
    await copy(["--create", source, pool.ref(image)]);
    const allocated = (await pool.allocated()) - before;
    expect(allocated).toBeGreaterThanOrEqual(DATA);
    expect(allocated).toBeLessThanOrEqual(DATA + RECORDS);
    expect(await oracle.compareSparse({ image }, { path: source })).toBeNull();

    await copy(["--create", pool.ref(image), pool.ref("copy")]);
    expect((await pool.allocated()) - before).toBeLessThanOrEqual(2 * (DATA + RECORDS));

    const path = workspace.path("back");
    await copy([pool.ref("copy"), path]);
    await judgeFile(path);
  });

  test("from file to an image that holds other bytes", async () => {
    const content = workspace.path("other-image");
    const others = makeOther(content);
    const before = await pool.allocated();
    await oracle.create("other", SPARSE);
    await oracle.write({ image: "other" }, content, others);
    await copy([source, pool.ref("other")]);
    expect((await pool.allocated()) - before).toBeLessThanOrEqual(DATA + RECORDS);
    expect(await oracle.compareSparse({ image: "other" }, { path: source })).toBeNull();
  });

  test("from file to JavaScript, and back to a file", async () => {
    const store = new SparseStore(SPARSE);
    const ref = volumes.add("store", store.volume);
    const path = workspace.path("from-js");
    {
      await using from = await openVolume(source);
      await using to = await openVolume(ref, { mode: "write" });
      judgeReport(await copyVolume(from, to));
    }
    judgeStore(store, source, pieces);
    {
      await using from = await openVolume(ref);
      await using to = await openVolume(path, { mode: "write", create: { size: SPARSE } });
      judgeReport(await copyVolume(from, to));
    }
    await judgeFile(path);
  });

  test("at multiples of 64 KiB, from file to RBD and back to a file", async () => {
    const aligned = workspace.path("aligned");
    const back = workspace.path("aligned-back");
    const places = scatter(
      { size: SPARSE, count: PIECES, length: PIECE, alignment: PIECE },
      random,
    );
    makeSparseFile(aligned, SPARSE, places, random);
    const before = await pool.allocated();
    for (const args of [
      ["--create", aligned, pool.ref("aligned")],
      [pool.ref("aligned"), back],
    ]) {
      expect((await measuredCopy(args)).report).toMatchObject({ size: SPARSE, written: DATA });
    }
    expect((await pool.allocated()) - before).toBeLessThanOrEqual(DATA + RECORDS);
    expect(statSync(back).blocks * 512).toBeLessThanOrEqual(DATA + RECORDS);
    expect(await oracle.compareSparse({ path: back }, { path: aligned })).toBeNull();
  });

  describe.each(["uring", "threads"])("memory with BLOCKHAUL_IO=%s", (io) => {
    /** What was seen to come and go with JavaScript's own heap. */
    const NOISE = 24 * MiB;
    const small = workspace.path(`small-${io}`);
    const smallImage = `small-${io}`;
    const smallSize = 64 * MiB;

    beforeAll(async () => {
      const count = (PIECES * smallSize) / SPARSE;
      const places = scatter({ size: smallSize, count, length: PIECE, alignment: 4 * KiB }, random);
      makeSparseFile(small, smallSize, places, random);
      await oracle.create(smallImage, smallSize);
      await oracle.write({ image: smallImage }, small, places);
    });

    async function peak(...args: readonly string[]): Promise<number> {
      return (await measuredCopy(args, { BLOCKHAUL_IO: io })).peakMemory;
    }

    test.each([
      ["8MiB", 8 * MiB],
      ["32MiB", 32 * MiB],
    ])(
      "a file of 64 GiB needs no more than one of 64 MiB, with %s of buffers",
      async (label, limit) => {
        const bound = (await peak("--memory", label, small, "null:")) + limit + NOISE;
        expect(await peak("--memory", label, source, "null:")).toBeLessThanOrEqual(bound);
        expect(await peak("--memory", label, source, workspace.path("new"))).toBeLessThanOrEqual(
          bound,
        );
      },
    );

    test("nor does an image", async () => {
      const bound =
        (await peak("--memory", "8MiB", pool.ref(smallImage), "null:")) + 8 * MiB + NOISE;
      const large = await peak("--memory", "8MiB", pool.ref(image), "null:");
      expect(large).toBeLessThanOrEqual(bound);
    });

    test("nor do 2 GiB of data", async () => {
      const bound = (await peak("--memory", "8MiB", "pattern:64MiB:1", "null:")) + NOISE;
      const large = await peak("--memory", "8MiB", "pattern:2GiB:1", "null:");
      expect(large).toBeLessThanOrEqual(bound);
    });
  });
});

/** The store holds the file's bytes at the pieces, and nothing else. */
function judgeStore(store: SparseStore, path: string, pieces: readonly Range[]) {
  const file = openSync(path, "r");
  const wanted = Buffer.alloc(PIECE);
  const found = Buffer.alloc(PIECE);
  const wrong = pieces.filter(([offset]) => {
    readSync(file, wanted, 0, PIECE, offset);
    store.read(found, offset);
    return !found.equals(wanted);
  });
  closeSync(file);
  expect(wrong).toEqual([]);
  expect(store.allocated).toBe(pieces.length * PIECE);
}
