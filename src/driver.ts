import type { Attachment } from "./attachments/attachment.js";
import type { AttachedDevice } from "./connectors/connection.js";
import type { Extent, NativeVolume } from "./native.js";

export type { AttachedDevice, DeviceIdentity } from "./connectors/connection.js";
export type { Extent, ExtentKind } from "./native.js";

/** What a driver can do, as data: the command and the driver suite decide by it what to ask. */
export interface DriverSupport {
  /** Volumes can be opened for writing. */
  readonly write: boolean;
  /**
   * Whether an open can create a missing volume. "when-missing": the command does so without being
   * asked, as with an image file; "when-asked": only on `--create`.
   */
  readonly create: false | "when-missing" | "when-asked";
  /** Names of options of `create`, beyond the size. */
  readonly createOptions: readonly string[];
  /** Volumes can say where they hold data. */
  readonly extents: boolean;
  /** Volumes can make zeros without being sent them. */
  readonly zero: boolean;
  /** Takes and drops snapshots: `createSnapshot` and `deleteSnapshot`. */
  readonly snapshots: boolean;
  /** Removes volumes for good: `deleteVolume`. */
  readonly delete: boolean;
}

/** Whether a driver can work on this host. */
export interface DriverStatus {
  readonly available: boolean;
  /** Version of the library or program that it uses. */
  readonly version?: string | undefined;
  /** Why it is not available, and what to install. */
  readonly reason?: string | undefined;
}

/** How a missing volume is to be made. Further keys are the driver's own: `supports.createOptions`. */
export interface CreateOptions {
  /** Bytes. */
  readonly size: number;
  /** ERR_EXISTS where the volume exists already; otherwise that is opened as it is. */
  readonly exclusive?: boolean | undefined;
  readonly [option: string]: unknown;
}

/** How a volume is to be opened; `openVolume()` has checked it. */
export interface DriverOpenOptions {
  readonly mode: "read" | "write";
  /** Only with mode "write". */
  readonly create?: CreateOptions | undefined;
  /**
   * Only with mode "read", and of drivers that take snapshots: one that is taken now is opened in the
   * volume's place, and removed by the close.
   */
  readonly snapshot?: boolean | undefined;
  /**
   * Only with mode "write": opened even where somebody else has claimed it, as whoever mounts a device
   * does. A driver may ignore it.
   */
  readonly shared?: boolean | undefined;
  /** The ref as the caller wrote it, for messages. */
  readonly ref: string;
  /** Aborted when nobody waits for the volume any more; a driver may ignore it. */
  readonly signal?: AbortSignal | undefined;
}

/** How a volume is to be attached. */
export interface AttachOptions {
  /** Records each step before it is made; the caller undoes it where the attach fails. */
  readonly attachment: Attachment;
  /** Stops between two steps. */
  readonly signal?: AbortSignal | undefined;
}

/** How a snapshot is to be taken. */
export interface SnapshotOptions {
  /** Its name; one that nothing has yet unless told. */
  readonly name?: string | undefined;
}

/** How much of a volume takes space. */
export interface VolumeUsage {
  /** Bytes, as exactly as the storage knows. */
  readonly allocated: number;
}

/** A result of `read` or `write`: the number of bytes done, or nothing at all if all were. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function without a return statement is welcome
export type TransferResult<Key extends string> = number | { readonly [K in Key]: number } | void;

/**
 * A volume that is implemented in JavaScript. Positions and lengths are bytes and always inside the
 * volume; several calls may be under way at once. A thrown error's `errno`, or its `code` where it
 * is a BlockhaulError, is what the caller sees.
 */
export interface JsVolume {
  /** Only a native volume has it: it tells the two kinds apart. */
  readonly info?: undefined;
  /** Bytes; does not change while the volume is open. */
  readonly size: number;
  /** Bytes: the smallest unit that the medium writes; 1 unless told. */
  readonly blockSize?: number | undefined;
  /** Requests that stay within multiples of it are cheap; 0, any, unless told. */
  readonly preferredSize?: number | undefined;
  /** "proven-zero" only if every byte of it is known to read as zero; "unknown" unless told. */
  readonly zeroState?: "proven-zero" | "unknown" | undefined;
  /** The same text for the same bytes; the ref unless told. */
  readonly identity?: string | undefined;
  /** Writes are refused; also without `write`. */
  readonly readOnly?: boolean | undefined;
  /** Fills the buffer, or a part of it from its start: it is then called again for the rest. */
  read(
    buffer: Uint8Array,
    place: { readonly position: number },
  ): Promise<TransferResult<"bytesRead">> | TransferResult<"bytesRead">;
  /** Writes the buffer, or a part of it from its start: it is then called again for the rest. */
  write?(
    buffer: Uint8Array,
    place: { readonly position: number },
  ): Promise<TransferResult<"bytesWritten">> | TransferResult<"bytesWritten">;
  /** Makes a range read as zero; without it, zeros are written. */
  zero?(position: number, length: number): Promise<void> | void;
  /**
   * Where there is data, ascending. It is asked of a volume that nobody writes to. What no extent
   * names is taken for data.
   */
  extents?(
    position: number,
    length: number,
  ): AsyncIterable<Extent> | Iterable<Extent> | Promise<Iterable<Extent>>;
  /** Makes what was written durable. */
  sync?(): Promise<void> | void;
  /** Called once, when nothing is under way any more. */
  close?(): Promise<void> | void;
}

/** What a driver's open returns; it may hold more, for the driver's own `closeVolume`. */
export interface OpenedVolume {
  readonly volume: NativeVolume | JsVolume;
  /** Of a volume that cannot say where it holds data, but how much; as it was when it was opened. */
  readonly usage?: VolumeUsage | undefined;
}

/**
 * Opens and closes volumes of one kind. A driver does the mechanism only: `openVolume()` and
 * `Volume` check arguments and state before they call it. docs/DRIVERS.md shows how to write one.
 */
export interface VolumeDriver<Location = unknown, Opened extends OpenedVolume = OpenedVolume> {
  /** Lower-case letters, digits, `+`, `-` and `.`, from a letter on. */
  readonly name: string;
  /** What stands before the colon of its refs; usually the name alone. */
  readonly schemes: readonly string[];
  /** What it opens, in a few words. */
  readonly summary: string;
  /** Forms of its refs, for people: "rbd:[pool/]image". */
  readonly refForms: readonly string[];
  readonly supports: DriverSupport;
  /**
   * What a ref names; pure, without a look at the storage.
   *
   * @param ref the whole text, with its scheme
   * @throws BlockhaulError ERR_INVALID_REF
   */
  parseRef(ref: string): Location;
  /** The ref of a location, such that `parseRef` gives the same location again. */
  formatRef?(location: Location): string;
  openVolume(location: Location, options: DriverOpenOptions): Promise<Opened>;
  /**
   * Undoes what `openVolume` did. Without it the volume's own `close` is called. What was written
   * has been flushed before, and nothing is under way.
   */
  closeVolume?(opened: Opened): Promise<void>;
  /**
   * Removes a volume for good.
   *
   * @throws BlockhaulError ERR_NOT_FOUND; ERR_IN_USE where somebody uses it or it has snapshots that
   *   would go with it
   */
  deleteVolume?(location: Location): Promise<void>;
  /**
   * Takes a snapshot: a volume that holds for good what this one holds now.
   *
   * @returns where it can be opened
   * @throws BlockhaulError ERR_NOT_FOUND, ERR_EXISTS, ERR_NO_SPACE
   */
  createSnapshot?(location: Location, options: SnapshotOptions): Promise<Location>;
  /**
   * Removes a snapshot, and refuses what is none.
   *
   * @throws BlockhaulError ERR_NOT_FOUND, ERR_INVALID_ARGUMENT, ERR_IN_USE
   */
  deleteSnapshot?(location: Location): Promise<void>;
  /**
   * Makes the volume a block device of this host. A driver that has it also undoes an `openVolume`
   * that is aborted or fails, before that rejects: it is waited for.
   */
  attach?(location: Location, options: AttachOptions): Promise<AttachedDevice>;
  /** Whether it can work on this host; without it, it can. */
  status?(): Promise<DriverStatus> | DriverStatus;
}
