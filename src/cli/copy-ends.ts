/** Opens and closes the two volumes of a copy. */
import {
  BlockhaulError,
  type CreateOptions,
  type NewVolume,
  openVolume,
  resolveRef,
  type Side,
  sizeInWords,
  type Volume,
  type VolumeDriver,
} from "../index.js";
import type { copyOptions } from "./command-options.js";
import { CREATION_FLAGS, creationOf } from "./creation-options.js";
import type { OptionValues } from "./options.js";
import { sizeForStream } from "./streams.js";

type Options = OptionValues<typeof copyOptions>;

/** The target of a copy; of a dry run, one that would be made is not there. */
export interface CopyTarget {
  readonly volume: Volume | undefined;
  /** Whether the target was missing: it was made, or would be. */
  readonly isNew: boolean;
  /** In a dry run: how it was found to be missing, which may be more than the volume itself. */
  readonly missing?: string;
}

/**
 * Opens the source, or a snapshot of it; a dry run takes none.
 *
 * @param target the ref of what a stream is to fill
 */
export function openSource(
  ref: string,
  target: string,
  { size: told, create, ...options }: Options,
  signal: AbortSignal,
): Promise<Volume> {
  const snapshot = options.snapshot && !options.dryRun;
  return onSide("source", async () => {
    // A target that is to be made cannot say how large it is.
    const size = create ? told : await sizeForStream(ref, { size: told, other: target, signal });
    return openVolume(ref, { signal, snapshot, size });
  });
}

/**
 * Opens the target, and makes it like the source where that was asked for or goes without saying.
 *
 * @throws BlockhaulError ERR_NOT_FOUND with a hint where it would have to be asked for
 */
export function openTarget(
  ref: string,
  { ref: like, size }: Pick<Volume, "ref" | "size">,
  options: Options,
  signal: AbortSignal,
): Promise<CopyTarget> {
  return onSide("target", async () => {
    const { driver } = await resolveRef(ref);
    const create = createOptions(options, size);
    checkCreation(driver, ref, options);
    const isImplied = driver.supports.create === "when-missing";
    if (create?.exclusive) {
      if (options.dryRun) return await lookForMissing(ref, signal);
      return { volume: await make(ref, { ...create, like }, signal), isNew: true };
    }
    try {
      // Who has claimed it is the guards' to say, where one of them was told to let it pass.
      const shared = options.allowMounted || options.allowHeld;
      return { volume: await openVolume(ref, { mode: "write", signal, shared }), isNew: false };
    } catch (error) {
      if (!isNotFound(error)) throw error;
      if (!isImplied) throw driver.supports.create === "when-asked" ? hintAtCreate(error) : error;
      if (options.dryRun) return { volume: undefined, isNew: true, missing: error.message };
    }
    return { volume: await make(ref, { size, like }, signal), isNew: true };
  });
}

function make(ref: string, create: NewVolume, signal: AbortSignal): Promise<Volume> {
  return openVolume(ref, { mode: "write", create, signal });
}

/** What --create and its further options ask for; undefined without them. */
export function createOptions(options: Options, size: number): CreateOptions | undefined {
  const given = creationOf(options);
  const larger = options.size;
  if (options.create) {
    if (larger !== undefined && larger < size) throw tooSmall(larger, size);
    return { size: larger ?? size, exclusive: true, ...given };
  }
  if (larger !== undefined) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: "--size is about a new target: it goes with --create",
    });
  }
  const [first] = Object.keys(given);
  if (first === undefined) return undefined;
  throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
    message: `${flagOf(first)} is about a new target: it goes with --create`,
  });
}

function tooSmall(size: number, source: number): BlockhaulError {
  return new BlockhaulError("ERR_TARGET_TOO_SMALL", {
    message: `--size is ${sizeInWords(size)}, less than the source's ${sizeInWords(source)}`,
  });
}

/** What the driver would refuse of --create, in the words of the command line; of a dry run, too. */
function checkCreation({ name, supports }: VolumeDriver, ref: string, options: Options): void {
  if (!options.create) return;
  if (supports.create === false) {
    throw new BlockhaulError("ERR_UNSUPPORTED", {
      volume: ref,
      message: `the driver ${name} does not create volumes`,
    });
  }
  const unknown = CREATION_FLAGS.find(
    (flag) => options[flag] !== undefined && !supports.createOptions.includes(flag),
  );
  if (unknown === undefined) return;
  throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
    volume: ref,
    message: `${flagOf(unknown)} is no option of a new ${name} volume`,
  });
}

/** "--object-size" of "objectSize" */
function flagOf(option: string): string {
  return `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** A volume that could not be closed. */
export interface CloseFailure {
  readonly ref: string;
  readonly error: unknown;
}

/** Closes volumes, whatever happens to the others. */
export async function closeEach(volumes: readonly (Volume | undefined)[]): Promise<CloseFailure[]> {
  const results = await Promise.allSettled(volumes.map((volume) => volume?.close()));
  return results.flatMap((result, index) =>
    result.status === "rejected"
      ? [{ ref: volumes[index]?.ref ?? "", error: result.reason as unknown }]
      : [],
  );
}

/** Closes volumes, whatever happens to the others; the first error is the one that is reported. */
export async function closeAll(volumes: readonly (Volume | undefined)[]): Promise<void> {
  const [failed] = await closeEach(volumes);
  if (failed !== undefined) throw failed.error;
}

async function onSide<Result>(side: Side, action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    throw error instanceof BlockhaulError ? error.withContext({ side }) : error;
  }
}

/** A dry run's look at what --create would make. */
async function lookForMissing(ref: string, signal: AbortSignal): Promise<CopyTarget> {
  try {
    await (await openVolume(ref, { signal })).close();
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return { volume: undefined, isNew: true, missing: error.message };
  }
  throw new BlockhaulError("ERR_EXISTS", { volume: ref, message: "it exists already" });
}

function isNotFound(error: unknown): error is BlockhaulError {
  return error instanceof BlockhaulError && error.code === "ERR_NOT_FOUND";
}

function hintAtCreate(error: BlockhaulError): BlockhaulError {
  return error.withContext({
    hint: "--create makes it, where nothing but the volume itself is missing",
  });
}
