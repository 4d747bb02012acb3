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

/** A file or a block device of this host. */
export interface HostNode {
  /** Of a block device its own number; of a file, its file system's. */
  readonly major: number;
  readonly minor: number;
  /** Of a file; as text, since some are larger than a number holds. */
  readonly inode?: string;
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
  /** Its storage says, at once, that nobody has it open for writing; false says nothing. */
  isSurelyUnwritten(): boolean;
  close(): Promise<void>;
}

export interface NativePosixOptions {
  readonly path: string;
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

/** Where images lie side by side. */
export interface NativeRbdPlace {
  readonly connection: NativeCephConnection;
  readonly pool: string;
  /** "": the pool's own. */
  readonly namespace: string;
}

/** An image, or a snapshot of one. */
export interface NativeRbdImage extends NativeRbdPlace {
  readonly image: string;
  readonly snapshot?: string;
}

export interface NativeRbdCreate {
  readonly size: number;
  /** log2 of the object size; absent: the cluster's default. */
  readonly order?: number;
  /** RBD feature names; absent: the cluster's default. */
  readonly features?: readonly string[];
  readonly dataPool?: string;
  readonly stripeUnit?: number;
  readonly stripeCount?: number;
}

export interface NativeRbdOptions extends NativeRbdImage {
  readonly mode: "read" | "write";
  readonly create?: NativeRbdCreate;
}

/** An image of a place, or a snapshot of an image. */
export interface NativeRbdListed {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

/** A snapshot of an image. */
export interface NativeRbdSnapshot extends NativeRbdListed {
  /** Why it cannot be removed; absent where nothing is seen that speaks against it. */
  readonly inUse?: string;
}

/** What decides how an image, or a snapshot of one, can be copied. */
export interface NativeRbdFacts {
  /** Of the cluster. */
  readonly fsid: string;
  /** Of the image, whatever it is called. */
  readonly id: string;
  /** Bytes. */
  readonly size: number;
  readonly features: readonly string[];
}

/** A clone that is being made of a snapshot, and flattened. */
export interface NativeRbdClone {
  /** Rejects where it fails or is stopped, when what was made is removed again. */
  readonly finished: Promise<void>;
  /** About how many bytes of the source are done. */
  done(): number;
  /** What is in flight is waited for; `finished` then rejects with ERR_CANCELLED. */
  cancel(): void;
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

/** A lock on one place of a file; see NativeFileLock. */
export interface NativeRegionLock {
  /** Again: does nothing. */
  release(): void;
}

/** What other processes have to do with files and devices. */
export interface NativeProcessScan {
  /** Those that may write to a node; `node` is its place among those that were asked for. */
  readonly writers: readonly {
    readonly pid: number;
    readonly name: string;
    readonly node: number;
  }[];
  /** One process of each mount namespace that is not ours. */
  readonly namespaces: readonly number[];
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
  /** In the order of their names. */
  rbdList(place: NativeRbdPlace): Promise<NativeRbdListed[]>;
  /** What the monitors answer to `ceph df detail --format json`. */
  rbdUsage(place: NativeRbdPlace): Promise<string>;
  rbdFacts(image: NativeRbdImage): Promise<NativeRbdFacts>;
  /** ERR_IN_USE where a client watches it or it has snapshots: the message names them. */
  rbdRemove(image: NativeRbdImage): Promise<void>;
  rbdRename(image: NativeRbdImage, name: string): Promise<void>;
  /** ERR_INVALID_ARGUMENT for a size below the present one. */
  rbdResize(image: NativeRbdImage, size: number): Promise<void>;
  /** Takes the snapshot that is named. */
  rbdTakeSnapshot(image: NativeRbdImage): Promise<void>;
  /** Removes the snapshot that is named. */
  rbdDropSnapshot(image: NativeRbdImage): Promise<void>;
  /** Those that people took, the oldest first. */
  rbdSnapshots(image: NativeRbdImage): Promise<NativeRbdSnapshot[]>;
  /** What may have changed since a snapshot, ascending; `kind` says what is there now. */
  rbdChanges(image: NativeRbdImage, snapshot: string): Promise<Extent[]>;
  /** Both by the target's connection; `size` is the source's. */
  rbdCloneSnapshot(
    source: NativeRbdImage,
    target: NativeRbdImage & { readonly create: NativeRbdCreate },
  ): NativeRbdClone;
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
  /**
   * Tries to lock one byte of a file, which is made where it is missing; null where somebody else holds
   * it. The place need not exist in the file. Does not wait.
   */
  lockRegion(path: string, place: number): NativeRegionLock | null;
  /** Leaves out what this user may not look into, and this process. `proc`: "/proc". */
  scanProcesses(nodes: readonly HostNode[], proc: string): Promise<NativeProcessScan>;
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
  const require = createRequire(import.meta.url);
  // Modules are bundled: none can tell the package's folder from its own place.
  const root = path.dirname(require.resolve("blockhaul/package.json"));
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
