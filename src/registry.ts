import type { VolumeDriver } from "./driver.js";
import { formatPathRef, kindOfPath } from "./drivers/path.js";
import { BlockhaulError } from "./errors.js";

/** A ref, and the driver that opens it. */
export interface ResolvedRef {
  readonly driver: VolumeDriver;
  readonly location: unknown;
}

interface Entry {
  readonly name: string;
  readonly schemes: readonly string[];
  load(): Promise<VolumeDriver> | VolumeDriver;
}

/** Loaded when a ref first needs them: a copy between files does not pay for rbd. */
const BUILT_IN: readonly Entry[] = [
  {
    name: "file",
    schemes: ["file"],
    load: async () => (await import("./drivers/file.js")).fileDriver,
  },
  {
    name: "block",
    schemes: ["block"],
    load: async () => (await import("./drivers/block.js")).blockDriver,
  },
  {
    name: "rbd",
    schemes: ["rbd"],
    load: async () => (await import("./drivers/rbd.js")).rbdDriver,
  },
  {
    name: "lvm",
    schemes: ["lvm"],
    load: async () => (await import("./drivers/lvm.js")).lvmDriver as VolumeDriver,
  },
  {
    name: "iscsi",
    schemes: ["iscsi"],
    load: async () => (await import("./drivers/iscsi.js")).iscsiDriver,
  },
  {
    name: "synthetic",
    schemes: ["null", "zero", "pattern"],
    load: async () => (await import("./drivers/synthetic.js")).syntheticDriver,
  },
];

const entries: Entry[] = [...BUILT_IN];

const SCHEME = /^[a-z][a-z0-9+.-]*$/;

/**
 * Makes a driver known under its schemes, for this process.
 *
 * @throws BlockhaulError ERR_INVALID_ARGUMENT where its name or a scheme is malformed or taken
 */
export function registerDriver(driver: VolumeDriver): void {
  for (const text of [driver.name, ...driver.schemes]) {
    if (SCHEME.test(text)) continue;
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `"${text}" cannot be the name or the scheme of a driver`,
    });
  }
  const taken = entries.find(
    ({ name, schemes }) =>
      name === driver.name || schemes.some((scheme) => driver.schemes.includes(scheme)),
  );
  if (taken !== undefined) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `driver ${driver.name}: its name or a scheme is taken by the driver ${taken.name}`,
    });
  }
  entries.push({ name: driver.name, schemes: driver.schemes, load: () => driver });
}

/** The driver of a name; undefined where none is known by it. */
export async function findDriver(name: string): Promise<VolumeDriver | undefined> {
  return entries.find((entry) => entry.name === name)?.load();
}

/** Every driver that is known, in the order of their registration. */
export function listDrivers(): Promise<VolumeDriver[]> {
  return Promise.all(entries.map((entry) => entry.load()));
}

/**
 * The driver and the location that a ref names. A text with a colon before its first slash has a
 * scheme; any other is a path, opened as a block device where it is one, else as an image file.
 *
 * @throws BlockhaulError ERR_INVALID_REF, ERR_UNKNOWN_SCHEME
 */
export async function resolveRef(ref: string): Promise<ResolvedRef> {
  const scheme = schemeOf(ref);
  if (scheme === undefined) {
    const kind = await kindOfPath(ref);
    const driver = await loadDriver(kind);
    return { driver, location: driver.parseRef(formatPathRef(kind, { path: ref })) };
  }
  const driver = await loadDriver(scheme);
  return { driver, location: driver.parseRef(ref) };
}

/**
 * The scheme of a ref; undefined of a path.
 *
 * @throws BlockhaulError ERR_INVALID_REF for an empty text and one with control characters
 */
export function schemeOf(ref: string): string | undefined {
  if (ref === "") throw new BlockhaulError("ERR_INVALID_REF", { message: "the ref is empty" });
  if (hasControlCharacter(ref)) {
    throw new BlockhaulError("ERR_INVALID_REF", {
      message: `the ref ${JSON.stringify(ref)} contains a control character`,
    });
  }
  const colon = ref.indexOf(":");
  const slash = ref.indexOf("/");
  return colon < 0 || (slash >= 0 && slash < colon) ? undefined : ref.slice(0, colon);
}

function hasControlCharacter(text: string): boolean {
  return [...text].some((character) => character < " " || character === "\x7f");
}

async function loadDriver(scheme: string): Promise<VolumeDriver> {
  const entry = entries.find(({ schemes }) => schemes.includes(scheme));
  if (entry !== undefined) return entry.load();
  const known = entries.flatMap(({ schemes }) => schemes.map((name) => `${name}:`));
  throw new BlockhaulError("ERR_UNKNOWN_SCHEME", {
    message: `no driver for "${scheme}:"; known are ${known.join(", ")}`,
  });
}
