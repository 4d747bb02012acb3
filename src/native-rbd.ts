/** What the addon does with images of Ceph RBD without opening them, and what it calls their parts. */

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
  /** Names and values; none unless told. A clone has those of its parent. */
  readonly meta?: readonly (readonly [string, string])[];
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

/** What decides how an image, or a snapshot of one, can be copied, and what one like it is made with. */
export interface NativeRbdFacts {
  /** Of the cluster. */
  readonly fsid: string;
  /** Of the image, whatever it is called. */
  readonly id: string;
  /** Bytes. */
  readonly size: number;
  readonly features: readonly string[];
  /** Bytes. */
  readonly objectSize: number;
  /** Bytes: the object size where it has no stripes, and then the count is 1. */
  readonly stripeUnit: number;
  readonly stripeCount: number;
  /** "": its data lies in its own pool. */
  readonly dataPool: string;
  /** As `rbd image-meta` shows it. */
  readonly meta: readonly (readonly [string, string])[];
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

/** Part of the addon's binding, in native.ts; opening an image is beside the other opens there. */
export interface NativeRbdControl {
  /** In the order of their names. */
  rbdList(place: NativeRbdPlace): Promise<NativeRbdListed[]>;
  /** What the monitors answer to `ceph df detail --format json`. */
  rbdUsage(place: NativeRbdPlace): Promise<string>;
  /** Which place it is, whatever leads there: cluster, pool and namespace. ERR_NOT_FOUND where there is no such pool. */
  rbdPlaceId(place: NativeRbdPlace): Promise<string>;
  rbdFacts(image: NativeRbdImage): Promise<NativeRbdFacts>;
  /**
   * ERR_IN_USE where a client watches it or it has snapshots: the message names them. With an id, ERR_NOT_FOUND where
   * the name is another image's.
   */
  rbdRemove(image: NativeRbdImage, id?: string): Promise<void>;
  /** ERR_READ_ONLY, ERR_PERMISSION, ERR_IN_USE: native/volume/rbd_changeable.h says when. */
  rbdCheckChange(image: NativeRbdImage, change: "rename" | "delete" | "snapshot"): Promise<void>;
  rbdRename(image: NativeRbdImage, name: string): Promise<void>;
  /** ERR_INVALID_ARGUMENT for a size below the present one. */
  rbdResize(image: NativeRbdImage, size: number): Promise<void>;
  /** Takes the snapshot that is named. */
  rbdTakeSnapshot(image: NativeRbdImage): Promise<void>;
  /** Removes the snapshot that is named. */
  rbdDropSnapshot(image: NativeRbdImage): Promise<void>;
  /** Those that people took, the oldest first. */
  rbdSnapshots(image: NativeRbdImage): Promise<NativeRbdSnapshot[]>;
  /**
   * Looks whether the object maps that librbd reads by deny data: of what the image was cloned from, and with `withOwn`
   * its own. Asks for each object.
   *
   * @throws BlockhaulError ERR_WRONG_MAP
   */
  rbdCheckMaps(image: NativeRbdImage, withOwn: boolean): Promise<void>;
  /** Both by the target's connection; `size` is the source's. */
  rbdCloneSnapshot(
    source: NativeRbdImage,
    target: NativeRbdImage & { readonly create: NativeRbdCreate },
  ): NativeRbdClone;
}
