import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

import { BlockhaulError, createNativeError, type NativeErrorFields } from "./errors.js";

/** What a native volume says of itself; fixed at the open. Sizes are bytes. */
export interface NativeVolumeInfo {
  readonly kind: string;
  readonly name: string;
  /** The same text for the same bytes, whatever path led there. */
  readonly identity: string;
  /** What the bytes lie on: volumes of one medium may overlap, as a disk and its partitions do. */
  readonly medium: string;
  /** Where they begin on it. */
  readonly mediumOffset: number;
  readonly size: number;
  /** The smallest unit that the medium itself writes. */
  readonly blockSize: number;
  /** Requests that stay within multiples of it are cheap; 0: any. */
  readonly preferredSize: number;
  /** When it was opened; the engine goes by what it knows later. */
  readonly zeroState: "proven-zero" | "unknown";
  readonly readOnly: boolean;
  /** Bypasses the page cache. */
  readonly direct: boolean;
  readonly mapsExtents: boolean;
  /** Can make zeros without sending them. */
  readonly zeroes: boolean;
}

/** What a JavaScript volume says of itself; its identity is its medium. */
export type JsVolumeInfo = Omit<NativeVolumeInfo, "medium" | "mediumOffset">;

export type ExtentKind = "data" | "zero" | "hole";

export interface Extent {
  readonly offset: number;
  readonly length: number;
  readonly kind: ExtentKind;
}

/**
 * A volume that the engine drives itself. Arguments are taken as valid: `Volume` checks them.
 * `close` waits for what is in flight; everything after it rejects with ERR_VOLUME_CLOSED.
 */
export interface NativeVolume {
  readonly info: NativeVolumeInfo;
  read(buffer: Uint8Array, position: number): Promise<void>;
  write(buffer: Uint8Array, position: number): Promise<void>;
  zero(position: number, length: number): Promise<void>;
  flush(): Promise<void>;
  /** Covers a non-empty prefix of the range, ascending, without gaps. */
  map(position: number, length: number): Promise<Extent[]>;
  close(): Promise<void>;
}

export interface NativePosixOptions {
  readonly path: string;
  readonly mode: "read" | "write";
  readonly kind: "any" | "file" | "block";
  /** Make a new image file of this many bytes; ERR_EXISTS where the path exists. */
  readonly createSize?: number;
  /**
   * The caller knows that every byte of the device reads as zero: it has just made the device. Only
   * with kind "block" and mode "write"; ERR_INVALID_ARGUMENT otherwise. The first write ends it.
   */
  readonly provenZero?: boolean;
  /** Of a block device, also to read: refused while anybody else has claimed it (O_EXCL). */
  readonly exclusive?: boolean;
  /** False: through the page cache. */
  readonly direct?: boolean;
}

/** How a Ceph cluster is reached, as librados wants it. */
export interface NativeCephConnection {
  readonly cluster: string;
  /** "client.admin" */
  readonly name: string;
  /** Paths of configuration files; none: the default search of librados. */
  readonly conf?: string;
  /** Options set last: keyring, mon_host, client_mount_timeout, … */
  readonly overrides: Readonly<Record<string, string>>;
}

export interface NativeRbdOptions {
  readonly connection: NativeCephConnection;
  readonly pool: string;
  readonly namespace: string;
  readonly image: string;
  readonly snapshot?: string;
  readonly mode: "read" | "write";
  readonly create?: {
    readonly size: number;
    /** log2 of the object size; absent: the cluster's default. */
    readonly order?: number;
    /** RBD feature names; absent: the cluster's default. */
    readonly features?: readonly string[];
    readonly dataPool?: string;
    readonly stripeUnit?: number;
    readonly stripeCount?: number;
  };
}

export interface NativeSyntheticOptions {
  readonly kind: "null" | "zero" | "pattern";
  readonly size: number;
  /** Of `pattern`: below 2^53. */
  readonly seed?: number;
}

export type JsOperation = "read" | "write" | "zero" | "flush" | "map";

/**
 * Does one operation of a JavaScript volume. Of a read, `buffer` is to be filled; of a write, it
 * holds the data; both are its own to keep. `map` resolves to extents. A rejection's `errno` (a
 * number) is taken where there is one; else the operation failed with EIO.
 */
export type JsDispatch = (
  operation: JsOperation,
  position: number,
  length: number,
  buffer: Uint8Array | undefined,
) => Promise<readonly Extent[] | undefined>;

export interface NativeCopyOptions {
  /** Bytes from the start of both volumes: the source's size. */
  readonly size: number;
  /** Bytes a request at the most; a power of two from 64 KiB to 4 MiB. */
  readonly requestSize: number;
  /** Requests in flight at the most. */
  readonly requests: number;
  /** Bytes of buffers. */
  readonly memory: number;
  readonly threads: number;
  readonly useExtents: boolean;
  readonly digest: "xxh3" | "sha256" | "none";
  /** Bytes a second; 0: no limit. */
  readonly bandwidthLimit: number;
}

export type CopyState = "copying" | "draining" | "flushing" | "done" | "failed" | "cancelled";

/** Bytes, each of which was counted when it was finished, never when it was begun. */
export interface NativeProgress {
  readonly state: CopyState;
  readonly total: number;
  /** data + zeros, written or skipped: what need not be done again. */
  readonly done: number;
  /** Read from the source. */
  readonly read: number;
  /** Written to the target as data. */
  readonly written: number;
  /** Made zero on the target, by whatever way. */
  readonly zeroed: number;
  /** Zeros that the target was proven to hold already. */
  readonly skipped: number;
  readonly elapsedMs: number;
}

export interface NativeCopyReport extends NativeProgress {
  /** Hexadecimal; absent with `digest: "none"`. */
  readonly digest?: string;
  /** "io_uring" or "threads" */
  readonly io: string;
  readonly requestSize: number;
  readonly requests: number;
  readonly threads: number;
}

export interface NativeCopyJob {
  readonly finished: Promise<NativeCopyReport>;
  progress(): NativeProgress;
  /** Drains what is in flight; `finished` then rejects with ERR_CANCELLED. */
  cancel(): void;
  setBandwidthLimit(bytesPerSecond: number): void;
}

/**
 * A lock that this process holds. The kernel takes it back when the process ends, in whatever way;
 * so does the end of the worker that took it. Keep the handle for as long as the lock is needed: one
 * that nothing refers to any more is collected, and the lock with it.
 */
export interface NativeFileLock {
  /**
   * A program that has it too keeps the lock until it ends, should this process be killed before;
   * `release()` frees the lock all the same. -1 once it is released.
   */
  readonly descriptor: number;
  /** Again: does nothing. */
  release(): void;
}

export interface LibrbdStatus {
  readonly available: boolean;
  /** "1.16.0" */
  readonly version?: string;
  /** Why it is not available. */
  readonly reason?: string;
}

export interface IoStatus {
  /** What a copy would use now. */
  readonly io: string;
  /** Why io_uring is refused, where it is. */
  readonly reason?: string;
}

export interface NativeBinding {
  readonly zeroDetection: string;
  setErrorFactory(factory: (fields: NativeErrorFields) => Error): void;
  openPosix(options: NativePosixOptions): Promise<NativeVolume>;
  openRbd(options: NativeRbdOptions): Promise<NativeVolume>;
  openSynthetic(options: NativeSyntheticOptions): NativeVolume;
  openJs(info: JsVolumeInfo, dispatch: JsDispatch): NativeVolume;
  startCopy(source: NativeVolume, target: NativeVolume, options: NativeCopyOptions): NativeCopyJob;
  /**
   * Tries to lock a file, which is made where it is missing; null where somebody else holds the lock,
   * in this process or another. While it is held the file names the holder's process ("1234\n"),
   * afterwards it is empty. It is not to be removed: of two that lock it, one would have the old file.
   * Does not wait.
   *
   * @throws BlockhaulError ERR_INVALID_ARGUMENT for a symbolic link, for what is no regular file, and
   *   for a file that holds something else; others by errno
   */
  lockFile(path: string): NativeFileLock | null;
  librbdStatus(): LibrbdStatus;
  ioStatus(): IoStatus;
}

let loaded: NativeBinding | undefined;

/**
 * The addon, loaded at the first call: from `build/` in a checkout, from `prebuilds/` in a package.
 *
 * @throws BlockhaulError ERR_NATIVE_UNAVAILABLE where no binary fits this machine; its message says
 *   what was tried and the one command that builds it.
 */
export function native(): NativeBinding {
  loaded ??= load();
  return loaded;
}

function load(): NativeBinding {
  const root = path.join(import.meta.dirname, "..");
  const require = createRequire(import.meta.url);
  try {
    const nodeGypBuild = require("node-gyp-build") as (directory: string) => NativeBinding;
    const binding = nodeGypBuild(root);
    binding.setErrorFactory(createNativeError);
    return binding;
  } catch (cause) {
    const { napi } = process.versions;
    const tried = `${process.platform}-${process.arch}, Node ${process.version}, Node-API ${napi}`;
    const reason = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
    throw new BlockhaulError("ERR_NATIVE_UNAVAILABLE", {
      message: `no native binary for ${tried} in ${root} (${reason}); build it with: ${buildCommand(root)}`,
      cause,
    });
  }
}

/** A checkout can install what the build needs; an installed package only builds. */
function buildCommand(root: string): string {
  const isCheckout = existsSync(path.join(root, "scripts", "setup.mjs"));
  const folder = /^[\w./-]+$/.test(root) ? root : `'${root.replaceAll("'", "'\\''")}'`;
  return `npm --prefix ${folder} run ${isCheckout ? "setup" : "build:native"}`;
}
