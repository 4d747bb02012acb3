import { readFileSync } from "node:fs";
import { open } from "node:fs/promises";

import { type Content, type ContentKind, makeContent, rangesOf } from "./content.js";
import { bufferVolume, type JsVolumes } from "./js-volumes.js";
import type { LoopDevices } from "./loop.js";
import type { ImageOptions, Oracle, OracleVolume, Range } from "./oracle.js";
import { Random } from "./random.js";
import type { RbdPool } from "./rbd-pool.js";
import type { Workspace } from "./workspace.js";

/** What the two ends of the matrix are made with. */
export interface Stock {
  readonly oracle: Oracle;
  readonly workspace: Workspace;
  readonly pool: RbdPool;
  readonly loops: LoopDevices;
  readonly js: JsVolumes;
}

/** A volume to copy from, and what it holds. */
export interface Source {
  readonly ref: string;
  readonly content: Content;
  /** What differs from it; null if nothing does. */
  check(): Promise<string | null>;
}

export const sourceKinds = [
  "file",
  "block-512",
  "block-4096",
  "rbd",
  "clone",
  "snapshot",
  "js",
] as const;
export type SourceKind = (typeof sourceKinds)[number];

/** Bytes that every volume of a kind is a multiple of. */
export function sizeUnitOf(kind: string): number {
  return { "block-512": 512, "block-4096": 4096 }[kind] ?? 1;
}

export async function makeSource(
  stock: Stock,
  kind: SourceKind,
  contentKind: ContentKind,
  size: number,
): Promise<Source> {
  const label = `${kind}-${contentKind}-${size}`;
  const random = new Random(`source ${label}`);
  const content = makeContent(contentKind, size, stock.workspace.path(`content-${label}`), random);
  const image = `source-${label}`;
  switch (kind) {
    case "file": {
      const path = stock.workspace.path(image);
      await writeSegments(path, content);
      return judged(stock, path, { path }, content);
    }
    case "block-512":
    case "block-4096": {
      const sectorSize = kind === "block-512" ? 512 : 4096;
      const backing = stock.workspace.path(`device-${label}`);
      const { path } = await stock.loops.attachNew(backing, size, { sectorSize });
      await writeAll(path, content);
      return judged(stock, path, { path }, content);
    }
    case "rbd":
      await stock.oracle.create(image, size, someImage(random));
      await stock.oracle.write({ image }, content.path, rangesOf(content, "data", "zero"));
      return judged(stock, stock.pool.ref(image), { image }, content);
    case "clone":
      await makeClone(stock, image, content, random);
      return judged(stock, stock.pool.ref(image), { image }, content);
    case "snapshot":
      await makeSnapshot(stock, image, content, random);
      return judged(stock, stock.pool.ref(`${image}@s`), { image, snapshot: "s" }, content);
    case "js":
      return makeJs(stock, image, content, random);
  }
}

/** Objects of a few sizes, striped or not, with and without an object map: each is mapped in another way. */
export function someImage(random: Random): ImageOptions {
  return random.pick<ImageOptions>([
    {},
    { order: 16 },
    { order: 20, features: "layering" },
    { features: "layering" },
    { order: 20, stripe_unit: 65536, stripe_count: 3 },
    { order: 18, stripe_unit: 4096, stripe_count: 2 },
  ]);
}

function judged(stock: Stock, ref: string, volume: OracleVolume, content: Content): Source {
  const check = () => stock.oracle.compare(volume, content.path, content.size);
  return { ref, content, check };
}

/** Holes stay holes. Nothing is flushed: a copy must see what is in the page cache only. */
async function writeSegments(path: string, content: Content): Promise<void> {
  const bytes = readFileSync(content.path);
  const file = await open(path, "wx");
  try {
    await file.truncate(content.size);
    for (const [offset, length] of rangesOf(content, "data", "zero")) {
      await file.write(bytes, offset, length, offset);
    }
  } finally {
    await file.close();
  }
}

async function writeAll(path: string, content: Content): Promise<void> {
  const device = await open(path, "r+");
  try {
    await device.write(readFileSync(content.path));
  } finally {
    await device.close();
  }
}

/**
 * Some of the content comes from the parent. What the clone holds itself, zeros too, covers garbage of the
 * parent's; and the parent may end before the clone does.
 */
async function makeClone(stock: Stock, image: string, content: Content, random: Random) {
  const { size, path } = content;
  const overlap = random.chance(0.5) ? size : random.between(1, size);
  const own: Range[] = [];
  for (let offset = 0; offset < size; ) {
    const length = Math.min(random.between(1, 1024) * 512, size - offset);
    if (random.chance(0.5) || offset + length > overlap) own.push([offset, length]);
    offset += length;
  }
  const parent = `parent-${image}`;
  await stock.oracle.create(parent, overlap, someImage(random));
  await stock.oracle.write({ image: parent }, path, [[0, overlap]]);
  const garbage = stock.workspace.path(`garbage-${image}`);
  makeContent("data", overlap, garbage, random);
  const covered = own.map(
    ([offset, length]): Range => [offset, Math.min(length, overlap - offset)],
  );
  await stock.oracle.write(
    { image: parent },
    garbage,
    covered.filter(([, length]) => length > 0),
  );
  await stock.oracle.change(parent, ["snapshot", "s"]);
  await stock.oracle.clone(parent, "s", image);
  await stock.oracle.change(image, ["resize", size]);
  const bytes = readFileSync(path);
  const isZero = ([offset, length]: Range) =>
    bytes.subarray(offset, offset + length).every((byte) => byte === 0);
  const zeroes = own.filter((range) => isZero(range) && random.chance(0.7));
  const data = own.filter((range) => !zeroes.includes(range));
  await stock.oracle.write({ image }, path, data, zeroes);
}

/** Behind the snapshot, everything becomes something else. */
async function makeSnapshot(stock: Stock, image: string, content: Content, random: Random) {
  await stock.oracle.create(image, content.size, someImage(random));
  await stock.oracle.write({ image }, content.path, rangesOf(content, "data", "zero"));
  await stock.oracle.change(image, ["snapshot", "s"]);
  await stock.oracle.fill({ image }, 0xee);
  if (random.chance(0.5)) {
    await stock.oracle.change(image, ["resize", random.between(1, 2 * content.size)]);
  }
}

function makeJs(stock: Stock, name: string, content: Content, random: Random): Source {
  const bytes = readFileSync(content.path);
  const held = Buffer.from(bytes);
  const volume = bufferVolume(held, {
    extents: random.chance(0.5) ? content.segments : undefined,
    short: random.chance(0.5) ? random : undefined,
  });
  const check = async () => (held.equals(bytes) ? null : "its bytes changed");
  return { ref: stock.js.add(name, volume), content, check };
}
