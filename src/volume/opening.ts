import type { CreateOptions, DriverOpenOptions, Provisioning, VolumeDriver } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { describe, toBytes } from "./arguments.js";

/** How a volume is opened. */
export interface OpenOptions {
  /** "read" unless told. */
  readonly mode?: "read" | "write" | undefined;
  /** With mode "write": makes the volume where it is missing. */
  readonly create?: (Omit<CreateOptions, "size"> & { readonly size: number | bigint }) | undefined;
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
  /** Gives up waiting; a volume that opens all the same is closed again. */
  readonly signal?: AbortSignal | undefined;
}

/** What a driver is handed, once it makes sense for that driver. */
export function checkOpenOptions(
  driver: VolumeDriver,
  ref: string,
  options: OpenOptions,
): DriverOpenOptions {
  const { mode = "read", create, snapshot = false, shared = false, exclusive = false } = options;
  const { signal } = options;
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
  return {
    mode,
    ref,
    ...(exclusive ? { exclusive } : {}),
    ...(snapshot ? { snapshot } : {}),
    ...(shared ? { shared } : {}),
    ...(create === undefined ? {} : { create: checkCreateOptions(driver, ref, mode, create) }),
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
  create: NonNullable<OpenOptions["create"]>,
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
    ...(provisioning.length > 0 ? ["provisioning"] : []),
    ...driver.supports.createOptions,
  ];
  const given = Object.entries(create).filter(([, value]) => value !== undefined);
  const unknown = given.find(([key]) => !known.includes(key));
  if (unknown !== undefined) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      volume: ref,
      message: `"${unknown[0]}" is no option of a new ${driver.name} volume; known are ${known.join(", ")}`,
    });
  }
  const wanted = create.provisioning as Provisioning | undefined;
  if (wanted !== undefined && !provisioning.includes(wanted)) {
    throw new BlockhaulError("ERR_UNSUPPORTED", {
      volume: ref,
      message: `the driver ${driver.name} makes ${provisioning.join(" and ")} volumes, none that are ${describe(wanted)}`,
    });
  }
  return { ...Object.fromEntries(given), size: toBytes(create.size, "create.size") };
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
    const listener = () => resolve("aborted");
    signal.addEventListener("abort", listener, { once: true });
    stopListening = () => signal.removeEventListener("abort", listener);
  });
  const result = await Promise.race([promise.then((value) => ({ value })), aborted]).finally(
    stopListening,
  );
  if (result !== "aborted") return result.value;
  promise.then(discard).catch(() => {});
  throwIfAborted(signal, ref);
  throw new BlockhaulError("ERR_CANCELLED", { volume: ref });
}
