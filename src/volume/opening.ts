import type { Backend } from "../backends.js";
import type { CreateOptions, DriverOpenOptions, Provisioning, VolumeDriver } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { checkKeys, type KeysOf } from "../known-keys.js";
import { onlyGiven } from "../only-given.js";
import { resolveRef } from "../refs.js";
import { onAbort } from "../system/abort.js";
import { describe, toBytes } from "./arguments.js";

/** How a missing volume is made. Further keys are the driver's own: `supports.createOptions`. */
export type NewVolume = Omit<CreateOptions, "size"> & {
  /** Bytes. */
  readonly size: number | bigint;
  /**
   * The ref of another volume: what is not told is to be as that one has it, where both are of one driver that can:
   * the layout and metadata of an RBD image; owner, group, mode and SELinux label of an image file. `info.notKept` of
   * the volume that is opened says what it does not have. Default: nothing is taken over.
   */
  readonly like?: string | undefined;
};

/** How a volume is opened. */
export interface OpenOptions {
  /** "read" unless told. */
  readonly mode?: "read" | "write" | undefined;
  /** With mode "write": makes the volume where it is missing. */
  readonly create?: NewVolume | undefined;
  /**
   * With mode "read": opens a snapshot of the volume, taken now and removed by the close, so that the
   * volume itself may go on being used.
   */
  readonly snapshot?: boolean | undefined;
  /**
   * With mode "write": opens a block device even where somebody else has claimed it: it is mounted, or
   * something is built on it. Nobody keeps what is written from mixing with what they write.
   */
  readonly shared?: boolean | undefined;
  /**
   * With mode "read": opens a block device only where nobody else has claimed it, and claims it until the
   * close, so that nobody mounts it meanwhile.
   */
  readonly exclusive?: boolean | undefined;
  /**
   * With mode "read": bytes, of a pipe, which does not know how many will come; reading it fails where there are fewer or
   * more. Volumes that know their size ignore it.
   */
  readonly size?: number | bigint | undefined;
  /** Gives up waiting; a volume that opens all the same is closed again. */
  readonly signal?: AbortSignal | undefined;
}

const OPEN_KEYS: KeysOf<OpenOptions> = {
  mode: true,
  create: true,
  snapshot: true,
  shared: true,
  exclusive: true,
  size: true,
  signal: true,
};

/** @throws BlockhaulError ERR_INVALID_ARGUMENT for a key that no open knows */
export function checkOpenKeys(options: OpenOptions): void {
  checkKeys("openVolume", options, OPEN_KEYS);
}

/** What a driver is handed, once it makes sense for that driver. */
export function checkOpenOptions(
  driver: VolumeDriver,
  ref: string,
  options: OpenOptions,
  like?: unknown,
): DriverOpenOptions {
  const { mode = "read", create, snapshot = false, shared = false, exclusive = false } = options;
  const { size, signal } = options;
  if (mode !== "read" && mode !== "write") {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `mode must be "read" or "write", not ${describe(mode)}`,
    });
  }
  if (mode === "write" && !driver.supports.write) {
    throw new BlockhaulError("ERR_READ_ONLY", {
      volume: ref,
      message: `the driver ${driver.name} only reads`,
    });
  }
  if (snapshot) checkSnapshot(driver, ref, mode);
  if (shared && mode !== "write") {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", { message: 'shared needs mode "write"' });
  }
  if (exclusive && mode !== "read") {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", { message: 'exclusive needs mode "read"' });
  }
  if (size !== undefined && mode !== "read") {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", { message: 'size needs mode "read"' });
  }
  return {
    mode,
    ref,
    ...(size === undefined ? {} : { size: toBytes(size, "size") }),
    ...(exclusive ? { exclusive } : {}),
    ...(snapshot ? { snapshot } : {}),
    ...(shared ? { shared } : {}),
    ...(create === undefined ? {} : { create: checkCreateOptions(driver, ref, mode, create) }),
    ...(like === undefined ? {} : { like }),
    ...(signal === undefined ? {} : { signal }),
  };
}

function checkSnapshot(driver: VolumeDriver, ref: string, mode: "read" | "write"): void {
  if (mode !== "read") {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: 'a snapshot is opened with mode "read"',
    });
  }
  if (driver.supports.snapshots) return;
  throw new BlockhaulError("ERR_UNSUPPORTED", {
    volume: ref,
    message: `the driver ${driver.name} takes no snapshots`,
  });
}

function checkCreateOptions(
  driver: VolumeDriver,
  ref: string,
  mode: "read" | "write",
  create: NewVolume,
): CreateOptions {
  if (mode !== "write") {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", { message: 'create needs mode "write"' });
  }
  if (driver.supports.create === false) {
    throw new BlockhaulError("ERR_UNSUPPORTED", {
      volume: ref,
      message: `the driver ${driver.name} does not create volumes`,
    });
  }
  const { provisioning = [] } = driver.supports;
  const known = [
    "size",
    "exclusive",
    "like",
    ...(provisioning.length > 0 ? ["provisioning"] : []),
    ...driver.supports.createOptions,
  ];
  const given = onlyGiven(create);
  checkKeys(`a new ${driver.name} volume`, given, known);
  const wanted = create.provisioning as Provisioning | undefined;
  if (wanted !== undefined && !provisioning.includes(wanted)) {
    throw new BlockhaulError("ERR_UNSUPPORTED", {
      volume: ref,
      message: `the driver ${driver.name} makes ${provisioning.join(" and ")} volumes, none that are ${describe(wanted)}`,
    });
  }
  const { like: _ref, ...told } = given;
  return { ...told, size: toBytes(create.size, "create.size") };
}

/**
 * Where the driver finds the volume that a new one is to be like; undefined where there is none, or another driver's.
 *
 * @throws BlockhaulError ERR_INVALID_ARGUMENT, ERR_INVALID_REF, ERR_UNKNOWN_SCHEME
 */
export async function locateLike(driver: VolumeDriver, create?: NewVolume): Promise<unknown> {
  const like: unknown = create?.like;
  if (like === undefined) return undefined;
  if (typeof like !== "string") {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `create.like must be a ref, not ${describe(like)}`,
    });
  }
  const other = await resolveRef(like);
  return other.driver === driver && driver.supports.like ? other.location : undefined;
}

/** What a backend says of new volumes counts where the caller says nothing. */
export function withPlaceOptions(backend: Backend | undefined, options: OpenOptions): OpenOptions {
  const { create } = options;
  if (backend === undefined || create === undefined) return options;
  return { ...options, create: backend.completed(create) };
}

/** @throws BlockhaulError ERR_CANCELLED */
export function throwIfAborted(signal: AbortSignal | undefined, ref: string): void {
  if (!signal?.aborted) return;
  throw new BlockhaulError("ERR_CANCELLED", {
    volume: ref,
    operation: "open",
    message: "stopped on request",
    cause: signal.reason,
  });
}

/** Waits for a promise or for the signal; what comes after the signal is handed to `discard`. */
export async function untilAborted<Result>(
  promise: Promise<Result>,
  signal: AbortSignal | undefined,
  ref: string,
  discard: (late: Result) => Promise<void>,
): Promise<Result> {
  if (signal === undefined) return promise;
  let stopListening = () => {};
  const aborted = new Promise<"aborted">((resolve) => {
    stopListening = onAbort(signal, () => resolve("aborted"));
  });
  const result = await Promise.race([promise.then((value) => ({ value })), aborted]).finally(
    stopListening,
  );
  if (result !== "aborted") return result.value;
  promise.then(discard).catch(() => {});
  throwIfAborted(signal, ref);
  throw new BlockhaulError("ERR_CANCELLED", { volume: ref });
}
