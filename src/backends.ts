import { readConfig } from "./config.js";
import type { Provisioning, StandardIssue, VolumeDriver } from "./driver.js";
import { BlockhaulError } from "./errors.js";
import { checkKeys, type KeysOf } from "./known-keys.js";
import { onlyGiven } from "./only-given.js";
import { driverOfScheme, findDriver, listDrivers } from "./registry.js";

/** What migrations may ask of a backend at a time. */
export interface BackendLimits {
  /** Migrations that read from it or write to it at once. */
  readonly parallel?: number | undefined;
  /** Bytes a second, of each of them. */
  readonly bandwidth?: number | undefined;
}

const BACKEND_LIMIT_KEYS: KeysOf<BackendLimits> = { parallel: true, bandwidth: true };

/** What a backend is made of, as `blockhaul.yaml` has it. Further keys are the driver's own. */
export interface BackendSettings {
  /** The name of a driver. */
  readonly driver: string;
  readonly limits?: BackendLimits | undefined;
  readonly [setting: string]: unknown;
}

/** A named, configured driver: `ceph-ssd:disk-1` is a volume of the backend `ceph-ssd`. */
export class Backend {
  readonly name: string;
  readonly driver: VolumeDriver;
  readonly limits: BackendLimits;
  /** What the driver makes of the settings. */
  readonly place: unknown;

  constructor(name: string, driver: VolumeDriver, limits: BackendLimits, place: unknown) {
    this.name = name;
    this.driver = driver;
    this.limits = limits;
    this.place = place;
  }

  /** @throws BlockhaulError ERR_INVALID_REF where no volume of it can have the name */
  locate(volume: string): unknown {
    if (volume === "") {
      throw new BlockhaulError("ERR_INVALID_REF", { message: `${this.name}: names no volume` });
    }
    return this.driver.places?.locate(this.place, volume);
  }

  /** What a volume is that is made there, unless told; undefined where nobody knows. */
  get provisioning(): Provisioning | undefined {
    return (
      this.driver.places?.provisioningOf?.(this.place) ?? this.driver.supports.provisioning?.[0]
    );
  }

  /** Options of a volume that is made there. */
  createOptions(provisioning: Provisioning | undefined): Record<string, unknown> {
    return this.driver.places?.createOptions?.(this.place, provisioning) ?? {};
  }

  /** What a new volume there is told: what `create` says, and those options where that says nothing. */
  completed<Create extends Readonly<Record<string, unknown>>>(create: Create): Create {
    const provisioning = create.provisioning as Provisioning | undefined;
    return { ...this.createOptions(provisioning), ...onlyGiven(create) };
  }
}

const NAME = /^[a-z][a-z0-9+.-]*$/;

/** What is wrong with a backend's name, to be read after it; undefined: nothing. */
export function faultOfBackendName(name: string): string | undefined {
  if (NAME.test(name)) return undefined;
  return "must be of lower-case letters, digits, +, - and ., from a letter on";
}

const registered = new Map<string, Backend>();

/**
 * Makes a backend known, for this process.
 *
 * @throws BlockhaulError ERR_INVALID_ARGUMENT where its name is malformed, a driver's scheme or taken; and
 *   what `makeBackend` throws
 */
export async function registerBackend(name: string, settings: BackendSettings): Promise<Backend> {
  if (registered.has(name)) throw invalid(`there is a backend ${name} already`);
  const backend = await makeBackend(name, settings);
  registered.set(name, backend);
  return backend;
}

/**
 * The backend of a name, registered or configured; undefined where there is none.
 *
 * @throws BlockhaulError ERR_CONFIG
 */
export async function findBackend(name: string): Promise<Backend | undefined> {
  const known = registered.get(name);
  // What cannot be a backend's name needs no look into the configuration.
  if (known !== undefined || faultOfBackendName(name) !== undefined) return known;
  return (await readConfig()).backends.get(name);
}

/**
 * The names of all backends.
 *
 * @throws BlockhaulError ERR_CONFIG
 */
export async function listBackendNames(): Promise<string[]> {
  return [...new Set([...registered.keys(), ...(await readConfig()).backends.keys()])];
}

/**
 * The backend of a name.
 *
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_CONFIG
 */
export async function requireBackend(name: string): Promise<Backend> {
  const backend = await findBackend(name);
  if (backend !== undefined) return backend;
  const known = await listBackendNames();
  throw new BlockhaulError("ERR_NOT_FOUND", {
    message: `there is no backend ${JSON.stringify(name)}; ${known.length === 0 ? "none is known" : `known are ${known.join(", ")}`}`,
    hint: "backends are named in blockhaul.yaml: `blockhaul config show` says where it is looked for",
  });
}

/**
 * @throws BlockhaulError ERR_INVALID_ARGUMENT for a name, a driver or settings that cannot be
 */
export async function makeBackend(name: string, settings: BackendSettings): Promise<Backend> {
  const { driver: driverName, limits = {}, ...own } = settings;
  checkKeys(`limits of the backend ${name}`, limits, BACKEND_LIMIT_KEYS);
  const fault = faultOfBackendName(name);
  if (fault !== undefined) throw invalid(`the backend's name ${JSON.stringify(name)} ${fault}`);
  if ((await driverOfScheme(name)) !== undefined) {
    throw invalid(`"${name}" cannot be the name of a backend: a driver has that scheme`);
  }
  const driver = await findDriver(driverName);
  if (driver?.places === undefined) {
    const able = (await listDrivers()).filter(({ places }) => places !== undefined);
    throw invalid(
      `backend ${name}: ${driver === undefined ? "there is no driver" : "no place can be named of the driver"} ${driverName}; drivers of backends are ${able.map((one) => one.name).join(", ")}`,
    );
  }
  const result = await driver.places.settings["~standard"].validate(own);
  if (result.issues !== undefined) {
    throw invalid(`backend ${name}: ${result.issues.map(describeIssue).join("; ")}`);
  }
  return new Backend(name, driver, limits, result.value);
}

function describeIssue({ message, path = [] }: StandardIssue): string {
  const keys = path.map((part) => String(typeof part === "object" ? part.key : part));
  return keys.length === 0 ? message : `${keys.join(".")}: ${message}`;
}

function invalid(message: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_ARGUMENT", { message });
}
