/** What stands in one configuration file, held to what may. */
import path from "node:path";

import { Backend, type BackendLimits, faultOfBackendName } from "../backends.js";
import type { VolumeDriver } from "../driver.js";
import { toBlockhaulError } from "../errors.js";
import { suggestion } from "../known-keys.js";
import { findDriver, listDrivers } from "../registry.js";
import { parseSize } from "../units.js";
import { type Faults, type Position, shown } from "./faults.js";
import { checkSettings } from "./settings.js";
import { isPath, loadThirdParty } from "./third-party.js";
import {
  type ConfigEntry,
  type ConfigList,
  type ConfigMap,
  type ConfigNode,
  kindOf,
} from "./tree.js";

export const TOP_KEYS = ["parallel", "backends", "drivers"] as const;
export const LIMIT_KEYS = ["parallel", "bandwidth"] as const;
const MOST_PARALLEL = 1000;

type Entries = ReadonlyMap<string, ConfigEntry>;

/** A backend, and where it is named. */
export interface CheckedBackend {
  readonly backend: Backend;
  readonly at: Position;
}

/** One file, as far as it has no faults. */
export interface CheckedFile {
  readonly parallel: number | undefined;
  readonly backends: ReadonlyMap<string, CheckedBackend>;
  /** Of a file in which nothing stands: undefined. */
  readonly tree: ConfigMap | undefined;
}

/** Loads the drivers that a file names, and makes its backends; whatever is wrong is among the faults. */
export async function checkFile(
  tree: ConfigNode | undefined,
  faults: Faults,
): Promise<CheckedFile> {
  const root = mapOf(tree, "the file", faults);
  const parallel = root?.entries.get("parallel")?.node;
  checkKeys(root?.entries ?? new Map(), TOP_KEYS, faults);
  await checkDrivers(root?.entries.get("drivers")?.node, faults);
  const backends = new Map<string, CheckedBackend>();
  const sections = mapOf(root?.entries.get("backends")?.node, "backends", faults);
  for (const [name, { at, node }] of sections?.entries ?? []) {
    const fault = faultOfBackendName(name);
    if (fault !== undefined) faults.add(at, `a backend's name ${fault}`);
    const backend = await checkBackend(name, at, node, faults);
    if (backend !== undefined) backends.set(name, { backend, at });
  }
  return { parallel: countOf(parallel, "parallel", faults), backends, tree: root };
}

async function checkDrivers(node: ConfigNode | undefined, faults: Faults): Promise<void> {
  for (const item of listOf(node, "drivers", faults)?.items ?? []) {
    const name = textOf(item, "a driver", faults);
    if (name !== undefined) await driverNamed(name, item.at, faults);
  }
}

async function checkBackend(
  name: string,
  at: Position,
  node: ConfigNode,
  faults: Faults,
): Promise<Backend | undefined> {
  const section = mapOf(node, `the backend ${shown(name)}`, faults);
  if (section === undefined) {
    if (node.kind === "scalar" && node.value === null) faults.add(at, "driver: is missing");
    return undefined;
  }
  const { driver: driverEntry, limits: limitsEntry, ...rest } = Object.fromEntries(section.entries);
  const limits = checkLimits(limitsEntry?.node, faults);
  const driver = await driverOf(driverEntry?.node, at, faults);
  if (driver === undefined) return undefined;
  if (driver.places === undefined) {
    faults.add(
      driverEntry?.node.at,
      `the driver ${driver.name} has no places, so that no backend can be one of them`,
    );
    return undefined;
  }
  const own = new Map(Object.entries(rest));
  try {
    const checked = await checkSettings(driver.places.settings, own, at, faults);
    return checked && new Backend(name, driver, limits, checked.place);
  } catch (error) {
    const reason = toBlockhaulError(error).message;
    faults.add(at, `the driver ${driver.name} failed to check its settings: ${reason}`);
    return undefined;
  }
}

async function driverOf(
  node: ConfigNode | undefined,
  at: Position,
  faults: Faults,
): Promise<VolumeDriver | undefined> {
  if (node === undefined) {
    faults.add(at, "driver: is missing");
    return undefined;
  }
  const name = textOf(node, "driver", faults);
  return name === undefined ? undefined : driverNamed(name, node.at, faults);
}

async function driverNamed(
  name: string,
  at: Position,
  faults: Faults,
): Promise<VolumeDriver | undefined> {
  try {
    const known = isPath(name) ? undefined : await findDriver(name);
    const driver = known ?? (await loadThirdParty(name, path.dirname(path.resolve(faults.file))));
    if (driver !== undefined) return driver;
    const names = (await listDrivers()).map((one) => one.name);
    const package_ =
      "and no package for it in node_modules, of the file's folder or the working one";
    faults.add(at, `there is no driver ${shown(name)}, ${package_}${suggestion(name, names)}`);
  } catch (error) {
    faults.add(at, toBlockhaulError(error).message);
  }
  return undefined;
}

function checkLimits(node: ConfigNode | undefined, faults: Faults): BackendLimits {
  const entries: Entries = mapOf(node, "limits", faults)?.entries ?? new Map();
  checkKeys(entries, LIMIT_KEYS, faults);
  const parallel = countOf(entries.get("parallel")?.node, "parallel", faults);
  const bandwidth = sizeOf(entries.get("bandwidth")?.node, "bandwidth", faults);
  return {
    ...(parallel === undefined ? {} : { parallel }),
    ...(bandwidth === undefined ? {} : { bandwidth }),
  };
}

function checkKeys(entries: Entries, known: readonly string[], faults: Faults): void {
  const free = known.filter((key) => !entries.has(key));
  for (const [key, { at }] of entries) {
    if (known.includes(key)) continue;
    faults.add(at, `there is no key ${shown(key)} here${suggestion(key, free)}`);
  }
}

/** Sections that are empty may stand there: all in them may be commented out. */
function mapOf(node: ConfigNode | undefined, what: string, faults: Faults): ConfigMap | undefined {
  if (node === undefined || node.kind === "map") return node;
  if (node.kind === "list" || node.value !== null) {
    faults.add(node.at, `${what}: must be a map, and is ${kindOf(node)}`);
  }
  return undefined;
}

function listOf(
  node: ConfigNode | undefined,
  what: string,
  faults: Faults,
): ConfigList | undefined {
  if (node === undefined || node.kind === "list") return node;
  if (node.kind === "map" || node.value !== null) {
    faults.add(node.at, `${what}: must be a list, and is ${kindOf(node)}`);
  }
  return undefined;
}

function textOf(node: ConfigNode, what: string, faults: Faults): string | undefined {
  if (node.kind === "scalar" && typeof node.value === "string" && node.value !== "") {
    return node.value;
  }
  faults.add(node.at, `${what}: must be a text, and is ${kindOf(node)}`);
  return undefined;
}

function countOf(node: ConfigNode | undefined, what: string, faults: Faults): number | undefined {
  if (node === undefined) return undefined;
  const value = node.kind === "scalar" ? node.value : undefined;
  if (
    typeof value === "number" &&
    Number.isInteger(value) &&
    value >= 1 &&
    value <= MOST_PARALLEL
  ) {
    return value;
  }
  faults.add(node.at, `${what}: must be a whole number from 1 to ${MOST_PARALLEL}`);
  return undefined;
}

function sizeOf(node: ConfigNode | undefined, what: string, faults: Faults): number | undefined {
  if (node === undefined) return undefined;
  const value = node.kind === "scalar" ? node.value : undefined;
  if (typeof value === "string" || typeof value === "number") {
    try {
      return parseSize(String(value));
    } catch {}
  }
  faults.add(node.at, `${what}: must be a size of bytes a second, such as 200MiB; 0: no limit`);
  return undefined;
}
