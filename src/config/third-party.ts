/** Drivers that a configuration names by a path or a package. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

import type { VolumeDriver } from "../driver.js";
import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { findDriver, registerDriver } from "../registry.js";
import { requireTrusted } from "../system/trusted.js";
import { requireTrustedCode } from "../system/trusted-code.js";
import { workingFolder } from "./files.js";

const PACKAGE = /^((?:@[a-z0-9][\w.~-]*\/)?[a-z0-9][\w.~-]*)(?:\/([\w.~/-]+))?$/i;
/** Of `exports`, in the order of the package's own. */
const CONDITIONS = ["node", "import", "module-sync", "default", "require"];

/** Whether a driver is named by a path, absolute or relative to the configuration's file. */
export function isPath(name: string): boolean {
  return /^[./]/.test(name);
}

/**
 * The driver of a module, which is registered with it.
 *
 * @param name a path, or the name of a package
 * @param folder of the file that names it
 * @returns undefined where there is no such package
 * @throws BlockhaulError ERR_CONFIG, which says what is wrong with the module
 */
export async function loadThirdParty(
  name: string,
  folder: string,
): Promise<VolumeDriver | undefined> {
  const found = isPath(name)
    ? { file: path.resolve(folder, name) }
    : await findPackage(name, folder);
  if (found === undefined) return undefined;
  // By its real path a module is loaded once, whatever two backends call it; and it is the one that was looked at.
  const real = await lookAtCode(found);
  const driver = driverOf(await importModule(real), real);
  await register(driver, real);
  return driver;
}

/** Whoever can write to it can have this process run any code. */
async function lookAtCode({ file, home }: DriverFile): Promise<string> {
  try {
    return await requireTrustedCode(file, home);
  } catch (thrown) {
    const { message } = toBlockhaulError(thrown);
    throw refused(`the driver's code is not loaded: ${message}`, thrown);
  }
}

async function importModule(file: string): Promise<Record<string, unknown>> {
  try {
    return await import(pathToFileURL(file).href);
  } catch (error) {
    throw refused(`the driver ${file} cannot be loaded: ${toBlockhaulError(error).message}`, error);
  }
}

function driverOf(module: Record<string, unknown>, file: string): VolumeDriver {
  const exported = module.driver ?? module.default;
  if (exported === undefined) throw refused(`${file} exports no \`driver\``);
  if (!isDriver(exported)) {
    throw refused(
      `what ${file} exports is no driver: it lacks a name, schemes, supports, parseRef or openVolume`,
    );
  }
  return exported;
}

function isDriver(value: unknown): value is VolumeDriver {
  if (typeof value !== "object" || value === null) return false;
  const { name, schemes, supports, parseRef, openVolume } = value as Partial<VolumeDriver>;
  return (
    typeof name === "string" &&
    Array.isArray(schemes) &&
    schemes.every((scheme) => typeof scheme === "string") &&
    typeof supports === "object" &&
    supports !== null &&
    typeof parseRef === "function" &&
    typeof openVolume === "function"
  );
}

async function register(driver: VolumeDriver, file: string): Promise<void> {
  try {
    registerDriver(driver);
  } catch (error) {
    // For another backend, or by whoever uses the library.
    const isRegistered = (await findDriver(driver.name)) === driver;
    if (!isRegistered) throw refused(`${file}: ${toBlockhaulError(error).message}`, error);
  }
}

/** A file of code, and the folder of the package that it belongs to. */
interface DriverFile {
  readonly file: string;
  readonly home?: string;
}

/** The file that a package's name stands for: in the folder's node_modules, then the working folder's. */
async function findPackage(name: string, folder: string): Promise<DriverFile | undefined> {
  const [, packageName, subpath] = PACKAGE.exec(name) ?? [];
  if (packageName === undefined) return undefined;
  for (const start of [path.resolve(folder), await ownWorkingFolder()]) {
    for (let at = start; at !== undefined; at = at === "/" ? undefined : path.dirname(at)) {
      const home = path.join(at, "node_modules", packageName);
      const text = await readFile(path.join(home, "package.json"), "utf8").catch(() => undefined);
      if (text !== undefined) return { file: entryOf(home, text, subpath), home };
    }
  }
  return undefined;
}

/** Undefined where somebody else could have put a package there: nobody asked for what lies in it. */
async function ownWorkingFolder(): Promise<string | undefined> {
  const here = workingFolder();
  if (here === undefined) return undefined;
  return requireTrusted(here, "entry").then(
    () => here,
    () => undefined,
  );
}

/** The part of Node's rules that packages of one module need. */
function entryOf(home: string, text: string, subpath: string | undefined): string {
  const { exports, main } = parseManifest(home, text);
  if (exports === undefined || exports === null) {
    return path.join(home, subpath ?? (typeof main === "string" ? main : "index.js"));
  }
  const key = subpath === undefined ? "." : `./${subpath}`;
  const isByPath =
    typeof exports === "object" && Object.keys(exports).some((one) => one[0] === ".");
  const target = isByPath ? (exports as Record<string, unknown>)[key] : exports;
  const entry = subpath !== undefined && !isByPath ? undefined : pickCondition(target);
  if (entry === undefined) throw refused(`the package in ${home} exports no ${key}`);
  return path.join(home, entry);
}

function parseManifest(home: string, text: string): { exports?: unknown; main?: unknown } {
  try {
    const manifest: unknown = JSON.parse(text);
    if (typeof manifest === "object" && manifest !== null) return manifest;
  } catch {}
  throw refused(`${home}/package.json cannot be read`);
}

function pickCondition(target: unknown): string | undefined {
  if (typeof target === "string") return target;
  if (Array.isArray(target)) return target.map(pickCondition).find((one) => one !== undefined);
  if (typeof target !== "object" || target === null) return undefined;
  for (const [condition, inner] of Object.entries(target)) {
    const found = CONDITIONS.includes(condition) ? pickCondition(inner) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function refused(message: string, cause?: unknown): BlockhaulError {
  return new BlockhaulError("ERR_CONFIG", { message, cause });
}
