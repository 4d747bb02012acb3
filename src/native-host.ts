/** What the addon asks of this host besides its volumes: locks, names of files, and who has something open. */

/** A file or a block device of this host. */
export interface HostNode {
  /** Of a block device its own number; of a file, its file system's. */
  readonly major: number;
  readonly minor: number;
  /** Of a file; as text, since some are larger than a number holds. */
  readonly inode?: string;
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

/** A lock on a part of a file; see NativeFileLock. */
export interface NativeRegionLock {
  /** Again: does nothing. */
  release(): void;
}

/**
 * An image file that is to lose its name, held open. While `isWhole()`, nobody has it open or mapped for writing, and
 * whoever opens it so waits for the release. Keep the handle: one that is collected lets go of the file.
 */
export interface NativeFileHold {
  /** When it was taken; undefined once it is released. */
  readonly look: NativePathLook | undefined;
  /** When it was taken. "unknown": its file system has no leases, or it is another user's. */
  readonly writers: "none" | "some" | "unknown";
  isWhole(): boolean;
  /** Whether a path is a name of this very file, through no link. */
  isAt(path: string): Promise<boolean>;
  /** Removes a name of this very file; false where the path is none, and nothing was removed. */
  unlink(path: string): Promise<boolean>;
  /** Again: does nothing. */
  release(): Promise<void>;
}

/**
 * A secret. Until it is wiped, the kernel writes no core dump of this process, and lets no other process look into it
 * unless that has CAP_SYS_PTRACE, not even one of the same user.
 */
export interface NativeSecret {
  /** In no core dump and in no child; in swap only where the limit on locked memory is used up. Zero once it is wiped. */
  readonly bytes: Buffer;
  /** Again: does nothing. One that nothing refers to any more is wiped, too. */
  wipe(): void;
}

/** A process that has a node open. */
export interface NativeFileUser {
  readonly pid: number;
  readonly name: string;
  readonly node: number;
}

/** What a path leads to at one moment. Times are nanoseconds since 1970, as text. */
export interface NativePathLook {
  readonly isFile: boolean;
  /** A block device. */
  readonly isDevice: boolean;
  /** Of the device, or of the one that the file lies on. */
  readonly major: number;
  readonly minor: number;
  readonly inode: string;
  readonly links: number;
  /** Bytes; 0 of a device. */
  readonly size: number;
  /** Where the file system keeps it. */
  readonly born?: string;
  /** chattr +i: nothing of it can be changed, its name neither. */
  readonly isImmutable: boolean;
  /** chattr +a: of a file, its name cannot be changed; of a folder, no name in it. */
  readonly isAppendOnly: boolean;
  /** When its content changed last. */
  readonly modified: string;
  /** When its metadata changed last; every change of its content counts. */
  readonly changed: string;
}

/** What other processes have to do with files and devices. */
export interface NativeProcessScan {
  /** Those that may write to a node; `node` is its place among those that were asked for. */
  readonly writers: readonly NativeFileUser[];
  /** Those that have it open and may not write to it. */
  readonly readers: readonly NativeFileUser[];
  /** The nodes that this very process may write to, by their places. */
  readonly own: readonly number[];
  /** One process of each mount namespace that is not ours. */
  readonly namespaces: readonly number[];
  /** A process could not be looked into, or their list. */
  readonly incomplete: boolean;
}

/** Part of the addon's binding, in native.ts. */
export interface NativeHostControl {
  /** @throws BlockhaulError ERR_NOT_FOUND, and others by errno: ELOOP of a symbolic link, EINVAL of what is no file */
  holdFile(path: string): Promise<NativeFileHold>;
  /**
   * Gives a file another name on the same file system, and overwrites none.
   *
   * @throws BlockhaulError by errno: EEXIST; EINVAL where the file system cannot promise that
   */
  renameToNew(from: string, to: string): Promise<void>;
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
   * Tries to lock a part of a file, which is made where it is missing; null where somebody else holds
   * it. The part need not exist in the file. Does not wait.
   *
   * @param exclusive false: others may share it
   */
  lockRegion(
    path: string,
    start: bigint,
    length: bigint,
    exclusive: boolean,
  ): NativeRegionLock | null;
  /**
   * Memory for a secret, zero at first.
   *
   * @param size bytes, from 1 on
   */
  makeSecret(size: number): NativeSecret;
  /**
   * Takes a variable out of the environment, also out of what /proc/PID/environ shows; undefined where it is not set, one
   * zero byte of an empty one. For the main thread: a worker has an environment of its own.
   */
  takeFromEnvironment(name: string): NativeSecret | undefined;
  /** Leaves out what this user may not look into; of this process, only that it writes. `proc`: "/proc". */
  scanProcesses(nodes: readonly HostNode[], proc: string): Promise<NativeProcessScan>;
  /**
   * What a path leads to; undefined where nothing has it. On a thread of its own: storage that hangs keeps neither libuv's
   * pool nor the process.
   */
  lookAtPath(path: string): Promise<NativePathLook | undefined>;
  /** Flushes what the page cache holds of a device or a file, on a thread of its own. */
  syncPath(path: string): Promise<void>;
  /** A SCSI target's answer to REPORT LUNS, as it came, asked through the node of one of its devices. */
  reportLuns(path: string): Promise<Buffer>;
  /** A page of a SCSI disk's vital product data, as its unit says it now, asked through the disk's node. */
  inquire(path: string, page: number): Promise<Buffer>;
  /**
   * Gives a file that this process has just made the owner, group, mode, access list and SELinux label of another.
   *
   * @returns what it does not have, each a text such as "the owner 107 (Operation not permitted)"
   */
  keepFileAttributes(source: string, target: string): Promise<string[]>;
}
