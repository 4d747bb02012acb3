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
  /** A new volume can be made like another of the same driver: `like`. */
  readonly like?: boolean | undefined;
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
  /** Each byte of a volume can be read or written once only, and in order, as of a pipe; false unless told. */
  readonly sequential?: boolean | undefined;
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
   * Only with `create`, and only of a driver that `supports.like`: where it finds another volume. One that is made has
   * what that one has, as far as `create` does not say otherwise.
   */
  readonly like?: unknown;
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
  /** Only with mode "read": bytes, of a volume that does not know its own size. A driver whose volumes do ignores it. */
  readonly size?: number | undefined;
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

/** What a driver knows when it asks for the last look before a removal. */
export interface LastLookFacts {
  /**
   * true: the storage says that nobody has the volume open for writing, and lets nobody begin until it is gone, or the
   * removal fails where somebody does. Undefined: nobody can say.
   */
  readonly isUnwritten: boolean | undefined;
}

/** How a volume is removed, by whoever is to remove that very volume and none other. A driver may ignore all of it. */
export interface DeleteOptions {
  /**
   * Removed is only the volume of which an open says this `identity`; of another, ERR_VOLUME_CHANGED, and nothing is
   * removed. Whatever has the name unless told.
   */
  readonly identity?: string | undefined;
  /**
   * The name is one that the caller made up and wrote down, and that nobody else uses; false unless told. A driver need
   * not hide the volume under another one while it removes it, where a kill would leave it.
   */
  readonly hasOwnName?: boolean | undefined;
  /** As a look of `identify` says when it was made; compared where both are known. */
  readonly born?: string | undefined;
  /**
   * Called once, when the driver has done all that keeps others from the volume, right before it removes the first of
   * it. Where it throws, nothing is removed, what was done is undone, and the error is thrown on.
   */
  readonly lastLook?: ((facts: LastLookFacts) => Promise<void>) | undefined;
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
  /** Of what the source has beside its bytes, something that the target does not have, in words. */
  readonly onNotKept?: ((text: string) => void) | undefined;
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

/** Where a transfer takes place, and whether anybody still waits for it. */
export interface TransferPlace {
  /** Bytes from the volume's start. */
  readonly position: number;
  /**
   * Fires when nobody waits for the request any more: the copy was stopped, or gave it up at its deadline. It may have fired
   * before the call. A driver may ignore it; one that ends the request early lets the copy end early. It may reject then with whatever it likes.
   */
  readonly signal: AbortSignal;
}

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
    place: TransferPlace,
  ): Promise<TransferResult<"bytesRead">> | TransferResult<"bytesRead">;
  /** Writes the buffer, or a part of it from its start: it is then called again for the rest. */
  write?(
    buffer: Uint8Array,
    place: TransferPlace,
  ): Promise<TransferResult<"bytesWritten">> | TransferResult<"bytesWritten">;
  /** Makes a range read as zero; without it, zeros are written. */
  zero?(position: number, length: number): Promise<void> | void;
  /**
   * Where there is data, ascending, each extent of one byte at the least. It is asked of a volume that nobody
   * writes to. What no extent names is taken for data. The list may begin before the range; one that does not come
   * to it within a million extents is not believed.
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

/** Which volume it is that a ref leads to at this moment. */
export interface VolumeLook {
  /** As the open volume's `identity`. */
  readonly identity: string;
  /** Bytes. */
  readonly size: number;
  /** When the volume was made, as text, where its storage keeps that: an identity may be given again. */
  readonly born?: string | undefined;
  /** What is another once the volume was taken away and brought back, such as a device's sequence number. */
  readonly attached?: string | undefined;
  /**
   * What the parts of its storage say that they are, asked anew, such as a disk's serial number, by any keys: another volume
   * may have its place. Parts come and go; a part that says another name than before is another.
   */
  readonly names?: Readonly<Record<string, string>> | undefined;
}

/** What a driver's open returns; it may hold more, for the driver's own `closeVolume`. */
export interface OpenedVolume {
  readonly volume: NativeVolume | JsVolume;
  /** Nothing is kept in it that somebody else could use, write to or lose: a stream, a sink; false unless told. */
  readonly ephemeral?: boolean | undefined;
  /**
   * Looks the volume up anew by the name that it was opened by, never by what is open. A copy asks before it says that
   * it is done. Without it, the report says that this end was not identified again.
   *
   * @returns undefined where nothing has the name any more; ERR_NOT_FOUND says the same
   */
  identify?(): Promise<VolumeLook | undefined>;
  /**
   * A text that is another after a write of anybody. It may be another without a write, too.
   *
   * @returns undefined where the storage keeps no account that could tell
   */
  writeStamp?(): Promise<string | undefined>;
  /**
   * Looks whether what the storage believes of itself is true, where it answers reads out of that and not out of what it
   * holds. Reads that are to prove something ask before they begin.
   *
   * @throws BlockhaulError ERR_WRONG_MAP where it is not
   */
  checkHints?(): Promise<void>;
  /** Of a volume that cannot say where it holds data, but how much; as it was when it was opened. */
  readonly usage?: VolumeUsage | undefined;
  /** What a volume that was made does not have of the one that it was to be like, each in words. */
  readonly notKept?: readonly string[] | undefined;
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
   *   would go with it; ERR_VOLUME_CHANGED where it is not the one that the options name; what its last look throws
   */
  deleteVolume?(location: Location, options?: DeleteOptions): Promise<void>;
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
   * Looks whether a volume as it is now could be renamed or removed, or a snapshot of it be taken, and changes nothing.
   * Without it, nothing is known to be in the way.
   *
   * @throws BlockhaulError what `renameVolume`, `deleteVolume` or `createSnapshot` would refuse it with
   */
  checkChange?(location: Location, change: "rename" | "delete" | "snapshot"): Promise<void>;
  /**
   * Looks whether a volume that is not there could be made, and changes nothing.
   *
   * @throws BlockhaulError what an open with `create` would be refused with
   */
  checkCreate?(location: Location): Promise<void>;
  /** What the volume is called in its place; pure. Goes with `renameVolume`. */
  nameOf?(location: Location): string;
  /**
   * The volume of that name in the place of this one; pure. Goes with `renameVolume`.
   *
   * @throws BlockhaulError ERR_INVALID_REF where no volume can have it
   */
  siblingOf?(location: Location, name: string): Location;
  /**
   * Which place it is that volumes of this location's place lie in, whatever name, link or configuration leads there:
   * another text for another folder, cluster or volume group. Asked before a migration that was cut short goes on or back.
   *
   * @returns undefined where there is no such place now
   */
  identifyPlace?(location: Location): Promise<string | undefined>;
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
