import { writeFileSync } from "node:fs";

import { type JsVolume, openVolume, type Volume } from "blockhaul";
import type { Content } from "./content.js";
import { bufferVolume } from "./js-volumes.js";
import type { LoopDevice } from "./loop.js";
import { type SourceKind, type Stock, sizeUnitOf, someImage } from "./matrix-sources.js";
import type { Random } from "./random.js";

/** A snapshot cannot be written to. */
export const targetKinds = [
  "file",
  "block-512",
  "block-4096",
  "rbd",
  "clone",
  "js",
] as const satisfies readonly SourceKind[];
export type TargetKind = (typeof targetKinds)[number];

/** Made by the copy; as large as the source and full of garbage; or larger, so that some of it must stay. */
export const targetStates = ["new", "garbage", "larger"] as const;
export type TargetState = (typeof targetStates)[number];

/** A volume to copy to, open. */
export interface Target {
  readonly volume: Volume;
  /** What differs from a content with the garbage behind it that was there before; null if nothing does. */
  check(content: Content): Promise<string | null>;
}

const GARBAGE = 0xff;
const devices = new Map<string, LoopDevice>();
let count = 0;

/** @param size the source's */
export async function makeTarget(
  stock: Stock,
  kind: TargetKind,
  state: TargetState,
  size: number,
  random: Random,
): Promise<Target> {
  const unit = sizeUnitOf(kind);
  const more = state === "larger" ? random.pick([1, 700, 70_000]) : 0;
  const full = Math.ceil((size + more) / unit) * unit;
  const name = `target-${kind}-${count++}`;
  switch (kind) {
    case "file":
      return makeFile(stock, name, state, full);
    case "block-512":
    case "block-4096":
      return makeBlock(stock, kind, state, full);
    case "rbd":
      return makeRbd(stock, name, state, full, random);
    case "clone":
      return makeClone(stock, name, state, full, random);
    case "js":
      return makeJs(stock, name, state, full, random);
  }
}

async function makeFile(stock: Stock, name: string, state: TargetState, size: number) {
  const path = stock.workspace.path(name);
  const isNew = state === "new";
  if (!isNew) writeFileSync(path, Buffer.alloc(size, GARBAGE));
  const volume = await openVolume(path, { mode: "write", ...(isNew && { create: { size } }) });
  const check = (content: Content) => stock.oracle.compare({ path }, content.path, size, GARBAGE);
  return { volume, check };
}

/** A device cannot be new: its bytes are zero then, which the engine must not assume. */
async function makeBlock(
  stock: Stock,
  kind: "block-512" | "block-4096",
  state: TargetState,
  size: number,
) {
  const name = `target-${kind}-${size}`;
  const device =
    devices.get(name) ??
    (await stock.loops.attachNew(stock.workspace.path(name), size, {
      sectorSize: kind === "block-512" ? 512 : 4096,
    }));
  devices.set(name, device);
  const before = state === "new" ? 0 : GARBAGE;
  await stock.oracle.fill({ path: device.path }, before);
  const volume = await openVolume(device.path, { mode: "write" });
  const check = async (content: Content) => {
    // The file behind it has what was flushed; what the device shows may still be in memory.
    const medium = { path: device.backing };
    return (
      (await stock.oracle.compare(medium, content.path, size, before)) ??
      (await stock.oracle.compare({ path: device.path }, content.path, size, before))
    );
  };
  return { volume, check };
}

async function makeRbd(
  stock: Stock,
  image: string,
  state: TargetState,
  size: number,
  random: Random,
) {
  const options = someImage(random);
  if (state !== "new") {
    await stock.oracle.create(image, size, options);
    await stock.oracle.fill({ image }, GARBAGE);
  }
  const create = {
    size,
    exclusive: true,
    ...(options.order !== undefined && { objectSize: 2 ** options.order }),
    ...(options.features !== undefined && { features: [options.features] }),
    ...(options.stripe_unit !== undefined && {
      stripeUnit: options.stripe_unit,
      stripeCount: options.stripe_count,
    }),
  };
  const ref = stock.pool.ref(image);
  const volume = await openVolume(ref, { mode: "write", ...(state === "new" && { create }) });
  const check = (content: Content) => stock.oracle.compare({ image }, content.path, size, GARBAGE);
  return { volume, check };
}

/** Untouched, it shows its parent's garbage; or it holds garbage of its own, too. */
async function makeClone(
  stock: Stock,
  image: string,
  state: TargetState,
  size: number,
  random: Random,
) {
  const parent = `parent-of-${size}`;
  if (!devices.has(parent)) {
    await stock.oracle.create(parent, size, someImage(random));
    await stock.oracle.fill({ image: parent }, GARBAGE);
    await stock.oracle.change(parent, ["snapshot", "s"]);
    devices.set(parent, { path: "", backing: "" });
  }
  await stock.oracle.clone(parent, "s", image);
  if (state !== "new" && random.chance(0.5)) {
    await stock.oracle.fill({ image }, GARBAGE, random.between(1, size));
  }
  const volume = await openVolume(stock.pool.ref(image), { mode: "write" });
  const check = (content: Content) => stock.oracle.compare({ image }, content.path, size, GARBAGE);
  return { volume, check };
}

async function makeJs(
  stock: Stock,
  name: string,
  state: TargetState,
  size: number,
  random: Random,
) {
  const isNew = state === "new";
  const bytes = Buffer.alloc(size, isNew ? 0 : GARBAGE);
  const js = bufferVolume(bytes, {
    zeroState: isNew && random.chance(0.5) ? "proven-zero" : "unknown",
    zeroes: random.chance(0.5),
    short: random.chance(0.5) ? random : undefined,
  });
  let isFlushed = true;
  const watched: JsVolume = {
    ...js,
    write: (buffer, place) => {
      isFlushed = false;
      return js.write?.(buffer, place);
    },
    sync: () => {
      isFlushed = true;
    },
  };
  const volume = await openVolume(stock.js.add(name, watched), { mode: "write" });
  const check = async (content: Content) => {
    stock.js.delete(name);
    if (!isFlushed) return "it was not flushed after its last write";
    const dump = stock.workspace.path(name);
    writeFileSync(dump, bytes);
    return stock.oracle.compare({ path: dump }, content.path, size, isNew ? 0 : GARBAGE);
  };
  return { volume, check };
}
