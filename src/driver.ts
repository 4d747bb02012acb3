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
  /** What a new volume can be, the first unless told; nothing known unless told. */
  readonly provisioning?: readonly Provisioning[] | undefined;
  /** Changes the size of volumes: `resizeVolume`. */
  readonly resize?: boolean | undefined;
  /** Gives volumes another name: `renameVolume`. */
  readonly rename?: boolean | undefined;
  /** Lists the volumes of a place: `listVolumes`. */
  readonly list?: boolean | undefined;
  /** Knows how much room a place has: `stats`. */
  readonly stats?: boolean | undefined;
  /** Can make a copy of a volume on its own, without the engine, of some at least: `shortWay`. */
  readonly shortWay?: boolean | undefined;
}

/** "thin": a volume takes space as it is written to; "thick": all of it from the start. */
export type Provisioning = "thin" | "thick";

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
  /** One of the driver's `supports.provisioning`; the first of them unless told. */
  readonly provisioning?: Provisioning | undefined;
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
  /**
   * Only with mode "read": refused with ERR_IN_USE where somebody else has claimed it, and claimed until
   * the close, so that nobody mounts it meanwhile. A driver whose volumes nobody can claim ignores it.
   */
  readonly exclusive?: boolean | undefined;
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

/** A snapshot of a volume. */
export interface SnapshotInfo<Location = unknown> {
  /** What its volume calls it. */
  readonly name: string;
  /** Where it can be opened. */
  readonly location: Location;
  /** Bytes of the volume when it was taken. */
  readonly size: number;
  /** Why it cannot be removed, in words, where the driver knows: "clones depend on it: vms/web-2". */
  readonly inUse?: string | undefined;
}

/** A volume of a place. Sizes are bytes. */
export interface ListedVolume {
  readonly name: string;
  readonly size: number;
  /** How much of it takes space, where the storage knows without reading. */
  readonly allocated?: number | undefined;
}

/** How much room a place has. Bytes. */
export interface PlaceStats {
  readonly capacity: number;
  readonly free: number;
  /** A volume's size is rounded up to a multiple of it; 1: any size. */
  readonly granularity: number;
  /** The same text for places that share their room, such as two folders of one file system; the place's own unless told. */
  readonly room?: string | undefined;
}

/**
 * A way to make a copy of a volume without moving its bytes through this process. Where `run` fails or is
 * aborted, it removes what it made of the target; a kill leaves it, for `deleteVolume`.
 */
export interface ShortWay {
  /** What reports call it: "reflink", "rbd deep copy". */
  readonly method: string;
  /** Makes the target, which must not exist, with all that the source holds, and makes it durable. */
  run(options: ShortWayOptions): Promise<void>;
}

/** How a short way is watched and stopped. */
export interface ShortWayOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes of the source that are done. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

/** Where a driver keeps volumes side by side, each by a name: a pool, a volume group, a directory. */
export interface DriverPlaces<Location, Place> {
  /**
   * What a backend's section of `blockhaul.yaml` may hold, beside `driver` and `limits`, and the place that
   * it names: any library's schema that follows https://standardschema.dev. Unknown keys are issues.
   */
  readonly settings: StandardSchema<Place>;
  /**
   * The volume of that name; pure.
   *
   * @throws BlockhaulError ERR_INVALID_REF where no volume can have it
   */
  locate(place: Place, name: string): Location;
  /** What a new volume is there unless told; the first of `supports.provisioning` unless told. */
  provisioningOf?(place: Place): Provisioning;
  /** Options for `create` that follow from the place, of a volume that is made there. */
  createOptions?(place: Place, provisioning: Provisioning | undefined): Record<string, unknown>;
}

/** The part of https://standardschema.dev that is asked here; `validate` answers at once. */
export interface StandardSchema<Output> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
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
export interface VolumeDriver<
  Location = unknown,
  Opened extends OpenedVolume = OpenedVolume,
  Place = unknown,
> {
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
   * Looks whether a snapshot of this volume, which need not be there yet, could be called so. Only of drivers whose
   * snapshots have names that not everything can have.
   *
   * @throws BlockhaulError ERR_INVALID_ARGUMENT for a name that none can have, ERR_EXISTS for one that is taken
   */
  checkSnapshotName?(location: Location, name: string): Promise<void>;
  /**
   * Removes a snapshot, and refuses what is none.
   *
   * @throws BlockhaulError ERR_NOT_FOUND, ERR_INVALID_ARGUMENT, ERR_IN_USE
   */
  deleteSnapshot?(location: Location): Promise<void>;
  /**
   * The snapshots of a volume, the oldest first. Goes with `createSnapshot`.
   *
   * @throws BlockhaulError ERR_NOT_FOUND
   */
  listSnapshots?(location: Location): Promise<readonly SnapshotInfo<Location>[]>;
  /**
   * What may have changed from a snapshot to this volume or later snapshot of it, ascending; `kind` says
   * what is there now. What no extent names is as it was in the snapshot.
   *
   * @param snapshot the name of an earlier snapshot of the same volume
   */
  changedExtents?(location: Location, snapshot: string): Promise<readonly Extent[]>;
  /**
   * Changes a volume's size; what is added reads as zeros, where nothing says otherwise.
   *
   * @param size bytes; rounded up to what the storage can have
   * @throws BlockhaulError ERR_NOT_FOUND, ERR_IN_USE, ERR_NO_SPACE; ERR_INVALID_ARGUMENT for a size below
   *   the present one, since what lies behind it would be lost
   */
  resizeVolume?(location: Location, size: number): Promise<void>;
  /**
   * Gives a volume another name in the same place, at once and for good. Nothing of that name is overwritten.
   *
   * @returns where it is found now
   * @throws BlockhaulError ERR_NOT_FOUND, ERR_EXISTS, ERR_IN_USE, ERR_INVALID_ARGUMENT
   */
  renameVolume?(location: Location, name: string): Promise<Location>;
  /**
   * Looks whether a volume as it is now could be renamed or removed, and changes nothing. Without it, nothing is
   * known to be in the way.
   *
   * @throws BlockhaulError what `renameVolume` or `deleteVolume` would refuse it with
   */
  checkChange?(location: Location, change: "rename" | "delete"): Promise<void>;
  /** What the volume is called in its place; pure. Goes with `renameVolume`. */
  nameOf?(location: Location): string;
  /**
   * The volume of that name in the place of this one; pure. Goes with `renameVolume`.
   *
   * @throws BlockhaulError ERR_INVALID_REF where no volume can have it
   */
  siblingOf?(location: Location, name: string): Location;
  /** How it takes part as a backend: a place with a name in `blockhaul.yaml`. */
  readonly places?: DriverPlaces<Location, Place> | undefined;
  /** The volumes of a place, in the order of their names; snapshots are not among them. */
  listVolumes?(place: Place): Promise<readonly ListedVolume[]>;
  /** How much room a place has. */
  stats?(place: Place): Promise<PlaceStats>;
  /**
   * How a copy of a volume can be made without the engine; undefined where there is no such way between
   * these two. It looks and changes nothing.
   *
   * @param target of this same driver; does not exist yet
   */
  shortWay?(
    source: Location,
    target: Location,
    options: CreateOptions,
  ): Promise<ShortWay | undefined>;
  /**
   * Makes the volume a block device of this host. A driver that has it also undoes an `openVolume`
   * that is aborted or fails, before that rejects: it is waited for.
   */
  attach?(location: Location, options: AttachOptions): Promise<AttachedDevice>;
  /** Whether it can work on this host; without it, it can. */
  status?(): Promise<DriverStatus> | DriverStatus;
}
