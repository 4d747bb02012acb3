/** What the volumes of a migration are called, in the end and until then. */
import { type Backend, findBackend } from "../backends.js";
import type { VolumeDriver } from "../driver.js";
import { STANDARD } from "../drivers/path.js";
import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { resolveRef, schemeOf } from "../refs.js";

/** A volume by its ref, its driver and where that finds it. */
export interface NamedVolume {
  readonly ref: string;
  readonly driver: VolumeDriver;
  readonly location: unknown;
  readonly backend: Backend | undefined;
}

/** @throws BlockhaulError ERR_UNSUPPORTED for a stream; what `resolveRef` throws */
export async function nameVolume(ref: string): Promise<NamedVolume> {
  const { driver, location, backend } = await resolveRef(ref);
  if (driver.supports.sequential) {
    throw new BlockhaulError("ERR_UNSUPPORTED", {
      volume: ref,
      message:
        "a migration needs a volume that keeps its name and its bytes, and a pipe keeps neither",
      hint: "`blockhaul copy` reads and writes pipes",
    });
  }
  return { ref, driver, location, backend };
}

/**
 * The volume that a migration's target names: "BACKEND", where it gets the source's name, "BACKEND:NAME",
 * or any other ref. A path needs a slash: a backend whose name is mistyped is no image file.
 *
 * @throws BlockhaulError ERR_INVALID_REF, ERR_UNKNOWN_SCHEME, ERR_NOT_FOUND for the backend, ERR_CONFIG
 */
export async function nameTarget(target: string, source: NamedVolume): Promise<NamedVolume> {
  const isBare = schemeOf(target) === undefined && !target.includes("/") && target !== STANDARD;
  if (!isBare) return nameVolume(target);
  if ((await findBackend(target)) === undefined) {
    throw new BlockhaulError("ERR_NOT_FOUND", {
      side: "target",
      message: `there is no backend ${JSON.stringify(target)}`,
      hint: `backends are named in blockhaul.yaml: \`blockhaul list\` shows them; an image file is written ./${target}`,
    });
  }
  const name = nameIn(source);
  if (name === undefined) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      side: "target",
      message: `the source has no name that the target could get; write ${target}:NAME`,
    });
  }
  return nameVolume(`${target}:${name}`);
}

/** Another volume in the same place. */
export function besides(volume: NamedVolume, name: string): NamedVolume {
  const { driver, backend } = volume;
  const location = driver.siblingOf?.(volume.location, name);
  const ref = backend === undefined ? driver.formatRef?.(location) : `${backend.name}:${name}`;
  if (location === undefined || ref === undefined) {
    throw new BlockhaulError("ERR_UNSUPPORTED", {
      volume: volume.ref,
      message: `the driver ${driver.name} cannot name a volume beside it`,
    });
  }
  return { ref, driver, location, backend };
}

/**
 * Looks whether a volume can be called so, before anything is made.
 *
 * @param name with an id that is as long as any: see `SOME_ID`
 * @throws BlockhaulError ERR_INVALID_REF where it is too long, or not a name
 */
export function checkNameBesides(volume: NamedVolume, name: string): void {
  try {
    besides(volume, name);
  } catch (thrown) {
    throw toBlockhaulError(thrown).withContext({
      hint: `for a while it is to be called …${name.slice(-24)}: give it a shorter name`,
    });
  }
}

/** In the place of a migration's id, before there is one. */
export const SOME_ID = "xxxxxxxx";

/** What a target is called until the hand-over. */
export function temporaryName(name: string | undefined, id: string): string {
  return `${name}.blockhaul-${id}`;
}

/** What a source is called that was set aside. */
export function asideName(name: string | undefined, id: string): string {
  return `${name}.moved-${id}`;
}

/** What a source is called while it is removed. Short, whatever its own name is: nothing is too long for it. */
export function removingName(id: string): string {
  return `blockhaul-removing-${id}`;
}

/** What a snapshot is called that a source is frozen by. */
export function snapshotName(id: string): string {
  return `blockhaul-snap-${id}`;
}

/** Whether a driver can give the volume another name in its place. */
export function canRename({ driver }: NamedVolume): boolean {
  const { supports, renameVolume, nameOf, siblingOf } = driver;
  return Boolean(supports.rename && renameVolume && nameOf && siblingOf);
}

export function nameIn({ driver, location }: NamedVolume): string | undefined {
  return driver.nameOf?.(location);
}
