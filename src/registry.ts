import type { DriverSupport, VolumeDriver } from "./driver.js";
import { BlockhaulError } from "./errors.js";
import { checkKeys, type KeysOf } from "./known-keys.js";

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
    load: async () => (await import("./drivers/file.js")).fileDriver as VolumeDriver,
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
    name: "stream",
    schemes: ["stream"],
    load: async () => (await import("./drivers/stream.js")).streamDriver as VolumeDriver,
  },
  {
    name: "synthetic",
    schemes: ["null", "zero", "pattern"],
    load: async () => (await import("./drivers/synthetic.js")).syntheticDriver,
  },
];

const SUPPORT_KEYS: KeysOf<DriverSupport> = {
  write: true,
  like: true,
  create: true,
  createOptions: true,
  extents: true,
  zero: true,
  snapshots: true,
  delete: true,
  provisioning: true,
  resize: true,
  rename: true,
  list: true,
  stats: true,
  shortWay: true,
  sequential: true,
};

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
  checkKeys(`supports of the driver ${driver.name}`, driver.supports, SUPPORT_KEYS);
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

/** The driver of a scheme; undefined where none has it. */
export async function driverOfScheme(scheme: string): Promise<VolumeDriver | undefined> {
  return entries.find(({ schemes }) => schemes.includes(scheme))?.load();
}

/** Every scheme that a driver has. */
export function knownSchemes(): string[] {
  return entries.flatMap(({ schemes }) => [...schemes]);
}
