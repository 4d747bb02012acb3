import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

import { BlockhaulError, createNativeError, type NativeErrorFields } from "./errors.js";
import type { HostNode, NativeHostControl, NativeRegionLock } from "./native-host.js";
import type { NativeRbdControl, NativeRbdImage, NativeRbdOptions } from "./native-rbd.js";

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
  /** Of a file or a block device of this host: which one, whatever path led there. */
  readonly node?: HostNode;
  readonly size: number;
  /** The smallest unit that the medium itself writes. */
  readonly blockSize: number;
  /** Requests that stay within multiples of it are cheap; 0: any. */
  readonly preferredSize: number;
  /** When it was opened; the engine goes by what it knows later. */
  readonly zeroState: "proven-zero" | "unknown";
  readonly readOnly: boolean;
  /** Nobody can change what it holds. */
  readonly snapshot?: boolean;
  /** Bypasses the page cache. */
  readonly direct: boolean;
  readonly mapsExtents: boolean;
  /** Can make zeros without sending them. */
  readonly zeroes: boolean;
}

/** What came of locking a file or a device node itself. */
export interface NativeInodeLock {
  /**
   * "taken": by another blockhaul. "taken-by-qemu": another blockhaul is kept away, but a program that
   * locks as QEMU does excludes us. "unlockable": its file system has no locks.
   */
  readonly state: "locked" | "taken" | "taken-by-qemu" | "unlockable";
  /** Of what is unlockable, why; else 0. */
  readonly errno: number;
  /** Of what is locked, and of "taken-by-qemu". */
  readonly lock?: NativeRegionLock;
}

/** A client that has a volume open where it is stored. */
export interface NativeWatcher {
  /** "client.4123" */
  readonly client: string;
  readonly address: string;
  /** It is this process. */
  readonly own: boolean;
}

/** What a JavaScript volume says of itself; its identity is its medium. */
export type JsVolumeInfo = Omit<NativeVolumeInfo, "medium" | "mediumOffset" | "node" | "snapshot">;

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
  /** Who has it open where it is stored; null: its storage does not tell. */
  watchers(): Promise<NativeWatcher[] | null>;
  /** What its storage says, at once, of who has it open for writing, or mapped to be written to; this process counts. */
  writers(): "none" | "some" | "unknown";
  /**
   * Locks the very file or device node that it is, apart from every other lock of this process; null:
   * it is none of this host. Does not wait for who has it, but perhaps for a server.
   */
  lock(exclusive: boolean): Promise<NativeInodeLock | null>;
  close(): Promise<void>;
}

export interface NativePosixOptions {
  readonly path: string;
  /** Where it is opened, and no link there followed: `path` is then only what it is called. */
  readonly at?: string;
  readonly mode: "read" | "write";
  readonly kind: "any" | "file" | "block";
  /** Make a new image file of this many bytes; ERR_EXISTS where the path exists. */
  readonly createSize?: number;
  /**
   * Of an image file: a new one takes all of its space from the start (ERR_UNSUPPORTED where its file
   * system cannot reserve any), and zeros are made without giving any back.
   */
  readonly thick?: boolean;
  /**
   * The caller knows that every byte of the device reads as zero: it has just made the device. Only
   * with kind "block" and mode "write"; ERR_INVALID_ARGUMENT otherwise. The first write ends it.
   */
  readonly provenZero?: boolean;
  /** Of a block device, also to read: refused while anybody else has claimed it (O_EXCL). */
  readonly exclusive?: boolean;
  /** Of a block device: not claimed even to be written to. Somebody else has, and that is known. */
  readonly shared?: boolean;
  /** False: through the page cache. */
  readonly direct?: boolean;
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
  readonly digest: DigestKind;
  /** Bytes a second; 0: no limit. */
  readonly bandwidthLimit: number;
  /** Pieces a second; 0: no limit. */
  readonly iopsLimit: number;
  /** Where the copy begins, in both volumes: a multiple of 4 MiB. */
  readonly begin: number;
  /** Where it ends: a multiple of 4 MiB, or the size; 0: the size. */
  readonly end: number;
  /** Of a request that met something that may pass. */
  readonly retries: number;
  /** Blocks of the source that cannot be read become zeros, and are listed. */
  readonly salvage: boolean;
  /** Milliseconds between two flushes with a journal; 0: only at the end. */
  readonly checkpointMs: number;
  /** Of one request, and of a flush, in milliseconds; 0: none. */
  readonly requestTimeoutMs: number;
  /** Milliseconds without a byte more; 0: none. */
  readonly stallLimitMs: number;
}

export type DigestKind = "xxh3" | "sha256" | "none";

/** Bytes of a volume. */
export interface Range {
  readonly offset: number;
  readonly length: number;
}

/** Chunks of 4 MiB in a row whose digests are equal. */
export interface ChunkRun {
  readonly count: number;
  /** Hexadecimal. */
  readonly digest: string;
}

/** What a journal is bound to. */
export interface NativeJournalHeader {
  /** The volume's, in bytes. */
  readonly size: number;
  /** Where the record begins: a multiple of 4 MiB. */
  readonly base: number;
  readonly digest: DigestKind;
  /** JSON. */
  readonly job: string;
}

/** What a journal says. */
export interface NativeJournalContents extends NativeJournalHeader {
  /** Everything from the base to here was finished and flushed. */
  readonly frontier: number;
  /** Where the last few checkpoints begin, ascending. */
  readonly checkpoints: readonly number[];
  /** What of the source could not be read. */
  readonly bad: readonly Range[];
  /** JSON, the oldest first. */
  readonly notes: readonly string[];
  /** Something that is no whole record follows; it does not count. */
  readonly torn: boolean;
}

/**
 * A journal, open to be continued; docs in native/copy/journal.h. While a copy uses it, only `frontier`
 * may be asked. What is appended is durable when the promise resolves.
 */
export interface NativeJournal {
  contents(): NativeJournalContents;
  readonly frontier: number;
  appendNote(json: string): Promise<void>;
  /** Takes the frontier back to a chunk's boundary. */
  rewind(frontier: number): Promise<void>;
  /** The recorded chunks of a range between boundaries, all of it within base and frontier. */
  chunks(begin: number, end: number): Promise<ChunkRun[]>;
  /** Nothing may be called after it. */
  close(): void;
}

export type CopyState = "copying" | "draining" | "flushing" | "done" | "failed" | "cancelled";

/** Bytes, each of which was counted when it was finished, never when it was begun. */
export interface NativeProgress {
  readonly state: CopyState;
  readonly total: number;
  /** Where it began: what is before was done by an earlier run. */
  readonly begin: number;
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
  /** Requests that were made once more. */
  readonly retries: number;
  readonly elapsedMs: number;
}

export interface NativeCopyReport extends NativeProgress {
  /** Hexadecimal; absent with `digest: "none"`, and where what was before the copy is not known. */
  readonly digest?: string;
  /** What of the source could not be read, and was made zero. */
  readonly bad: readonly Range[];
  /** Questions about the source's extents that failed: all was read there. */
  readonly mapFailures: number;
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
  setIopsLimit(perSecond: number): void;
  /** Nothing new is begun while it is paused. */
  setPaused(paused: boolean): void;
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

export interface NativeBinding extends NativeRbdControl, NativeHostControl {
  readonly zeroDetection: string;
  setErrorFactory(factory: (fields: NativeErrorFields) => Error): void;
  openPosix(options: NativePosixOptions): Promise<NativeVolume>;
  openRbd(options: NativeRbdOptions): Promise<NativeVolume>;
  /** What may have changed since a snapshot, ascending; `kind` says what is there now. */
  rbdChanges(image: NativeRbdImage, snapshot: string): Promise<Extent[]>;
  openSynthetic(options: NativeSyntheticOptions): NativeVolume;
  openJs(info: JsVolumeInfo, dispatch: JsDispatch): NativeVolume;
  /** With a journal, `begin` is its frontier. */
  startCopy(
    source: NativeVolume,
    target: NativeVolume,
    options: NativeCopyOptions,
    journal?: NativeJournal,
  ): NativeCopyJob;
  /** @throws BlockhaulError ERR_EXISTS, and others by errno */
  createJournal(path: string, header: NativeJournalHeader): Promise<NativeJournal>;
  /** One without a name, that goes with its handle, and is never flushed. */
  createTemporaryJournal(folder: string, header: NativeJournalHeader): Promise<NativeJournal>;
  /** @throws BlockhaulError ERR_JOURNAL for what is none; ERR_NOT_FOUND, and others by errno */
  openJournal(path: string): Promise<NativeJournal>;
  /** What a journal says, while somebody else may be writing it. */
  readJournal(path: string): Promise<NativeJournalContents>;
  librbdStatus(): LibrbdStatus;
  ioStatus(): IoStatus;
}

let loaded: NativeBinding | undefined;

/**
 * The addon, loaded at the first call: the file that BLOCKHAUL_NATIVE names, else from `build/` in a checkout, from
 * `prebuilds/` in a package.
 *
 * @throws BlockhaulError ERR_NATIVE_UNAVAILABLE where no binary fits this machine, or the package is not found since it
 *   was bundled into a program; its message says what was tried and what to do.
 */
export function native(): NativeBinding {
  loaded ??= load();
  return loaded;
}

function load(): NativeBinding {
  const named = process.env.BLOCKHAUL_NATIVE;
  const binding = named ? loadNamed(path.resolve(named)) : loadPackaged();
  binding.setErrorFactory(createNativeError);
  return binding;
}

function loadNamed(file: string): NativeBinding {
  try {
    return createRequire(file)(file) as NativeBinding;
  } catch (cause) {
    throw new BlockhaulError("ERR_NATIVE_UNAVAILABLE", {
      message: `the addon that BLOCKHAUL_NATIVE names, ${file}, cannot be loaded (${firstLine(cause)})`,
      hint: "name the file that ends with .node, built for this Node and this host, or unset BLOCKHAUL_NATIVE",
      cause,
    });
  }
}

function loadPackaged(): NativeBinding {
  const { root, load } = findPackage();
  try {
    return load(root);
  } catch (cause) {
    const { napi } = process.versions;
    const tried = `${process.platform}-${process.arch}, Node ${process.version}, Node-API ${napi}`;
    throw new BlockhaulError("ERR_NATIVE_UNAVAILABLE", {
      message: `no native binary for ${tried} in ${root} (${firstLine(cause)}); build it with: ${buildCommand(root)}`,
      cause,
    });
  }
}

/** The package's folder, and what loads its addon. A bundler takes this code away from both. */
function findPackage(): { readonly root: string; readonly load: (root: string) => NativeBinding } {
  try {
    // A bundle that is no module has no such place.
    const require = createRequire(import.meta.url);
    // By its name, for the modules of the package are bundled, too: none can tell its folder from its own place.
    const root = path.dirname(require.resolve("blockhaul/package.json"));
    return { root, load: require("node-gyp-build") };
  } catch (cause) {
    throw new BlockhaulError("ERR_NATIVE_UNAVAILABLE", {
      message:
        "the package blockhaul, with its native addon, is not found from here: was it bundled?",
      hint: "keep blockhaul external (esbuild: --external:blockhaul; webpack: externals) and install it beside the bundle, or name its .node file by BLOCKHAUL_NATIVE",
      cause,
    });
  }
}

function firstLine(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.message.split("\n")[0] ?? "") : String(thrown);
}

/** A checkout can install what the build needs; an installed package only builds. */
function buildCommand(root: string): string {
  const isCheckout = existsSync(path.join(root, "scripts", "setup.mjs"));
  const folder = /^[\w./-]+$/.test(root) ? root : `'${root.replaceAll("'", "'\\''")}'`;
  return `npm --prefix ${folder} run ${isCheckout ? "setup" : "build:native"}`;
}
