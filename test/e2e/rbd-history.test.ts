/**
 * Images with a past: snapshots, clones of clones, discards, resizes, object maps that are not valid. What a copy
 * makes of their extents must be what librbd reads.
 */
import { copyVolume, openVolume } from "blockhaul";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { someImage } from "../support/matrix-sources.js";
import { type ImageChange, Oracle } from "../support/oracle.js";
import { Random, testSeed } from "../support/random.js";
import { RbdPool } from "../support/rbd-pool.js";

const KiB = 1024;
const STEPS = 24;

let pool: RbdPool;
let attempts = 0;

beforeAll(async () => {
  console.log(`BLOCKHAUL_TEST_SEED=${testSeed} repeats this run's choices`);
  pool = await RbdPool.create(inject("cephConf"), "history");
});

afterAll(async () => {
  await pool?.[Symbol.asyncDispose]();
});

interface Image {
  readonly name: string;
  size: number;
  readonly snapshots: { readonly name: string; readonly size: number }[];
  hasParent: boolean;
}

// Once more where the oracle ended: see its deadline.
const histories = Array.from({ length: 10 }, (_, index) => index);
test.each(histories)(
  "history %i",
  { retry: { count: 1, condition: /oracle ended/ } },
  async (index) => {
    await using oracle = new Oracle({ conf: pool.conf, pool: pool.name });
    const random = new Random(`history ${index}`);
    const past: string[] = [];
    let image: Image = {
      name: `image-${index}-${++attempts}`,
      size: random.between(1, 6 * 1024) * KiB + random.pick([0, 0, 511]),
      snapshots: [],
      hasParent: false,
    };
    const images = [image];
    const options = someImage(random);
    past.push(`create ${image.size} ${JSON.stringify(options)}`);
    await oracle.create(image.name, image.size, options);
    for (let step = 0; step < STEPS; step++) {
      const snapshot = random.pick(image.snapshots);
      if (snapshot !== undefined && random.chance(0.15)) {
        const { name, size } = snapshot;
        const clone = { name: `${image.name}c`, size, snapshots: [], hasParent: true };
        past.push(`clone ${image.name}@${name}`);
        await oracle.clone(image.name, name, clone.name);
        images.push(clone);
        image = clone;
      } else {
        const change = someChange(image, step, random);
        past.push(change.join(" "));
        await oracle.change(image.name, change);
        note(image, change);
      }
    }
    for (const { name, snapshots } of images) {
      await judge(oracle, name, undefined, past);
      for (const snapshot of snapshots) await judge(oracle, name, snapshot.name, past);
    }
  },
);

function someChange(image: Image, step: number, random: Random): ImageChange {
  const offset = random.below(Math.max(image.size - 1, 1));
  const aligned = random.chance(0.5) ? 64 * KiB : 1;
  const start = Math.floor(offset / aligned) * aligned;
  const length = Math.min(
    random.between(1, 64) * random.pick([511, 4 * KiB, 32 * KiB]),
    image.size - start,
  );
  const snapshot = random.pick(image.snapshots)?.name;
  return random.pick<() => ImageChange>([
    () => ["write", start, length, random.below(1e9)],
    () => ["write", start, length, random.below(1e9)],
    () => ["write zeros", start, length],
    () => ["zero", start, length],
    () => ["discard", start, length],
    () => ["snapshot", `s${step}`],
    () => ["snapshot", `s${step}`],
    () => (snapshot === undefined ? ["zero", start, length] : ["roll back", snapshot]),
    () => ["resize", random.between(1, 8 * 1024) * KiB + random.pick([0, 1])],
    () => ["map objects", random.chance(0.5)],
    () => (image.hasParent ? ["flatten"] : ["discard", start, length]),
  ])();
}

/** What a change means for later ones. */
function note(image: Image, change: ImageChange) {
  if (change[0] === "snapshot") image.snapshots.push({ name: change[1], size: image.size });
  if (change[0] === "resize") image.size = change[1];
  if (change[0] === "flatten") image.hasParent = false;
  if (change[0] === "roll back") {
    image.size = image.snapshots.find(({ name }) => name === change[1])?.size ?? image.size;
  }
}

async function judge(
  oracle: Oracle,
  image: string,
  snapshot: string | undefined,
  past: readonly string[],
) {
  const name = snapshot === undefined ? image : `${image}@${snapshot}`;
  const volume = snapshot === undefined ? { image } : { image, snapshot };
  const wanted = await oracle.digest("sha256", volume);
  await using source = await openVolume(pool.ref(name));
  for (const requestSize of [64 * KiB, 1024 * KiB]) {
    await using target = await openVolume("null:", { mode: "write" });
    const report = await copyVolume(source, target, { digest: "sha256", requestSize });
    expect(report.digest, `${name} after:\n${past.join("\n")}`).toBe(wanted);
  }
}
