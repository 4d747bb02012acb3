/** What a code means to whoever handles it; docs/ERRORS.md has a paragraph for each. */
export interface ErrorCodeFacts {
  /** Of the command, when it ends with this error. */
  readonly exitCode: number;
  /** The same call may succeed later, with nothing changed by a person. */
  readonly retryable: boolean;
  readonly meaning: string;
  /** What to do about it, in one line. */
  readonly hint?: string;
}

const CODES = {
  ERR_INVALID_ARGUMENT: {
    exitCode: 2,
    retryable: false,
    meaning: "an argument or an option has a value that is not allowed",
  },
  ERR_OUT_OF_RANGE: {
    exitCode: 2,
    retryable: false,
    meaning: "a position or a length lies outside the volume",
  },
  ERR_INVALID_REF: {
    exitCode: 2,
    retryable: false,
    meaning: "a ref is malformed",
    hint: "`blockhaul drivers` shows the form of each driver's refs",
  },
  ERR_UNKNOWN_SCHEME: {
    exitCode: 2,
    retryable: false,
    meaning: "neither a driver nor a backend is known for the ref's scheme",
    hint: "`blockhaul drivers` lists the schemes, `blockhaul list` the backends; a path with a colon is written ./like:this",
  },
  ERR_CONFIG: {
    exitCode: 2,
    retryable: false,
    meaning: "a configuration file has faults",
    hint: "docs/CONFIG.md explains every key; `blockhaul config check` looks at them again",
  },
  ERR_UNSUPPORTED: {
    exitCode: 2,
    retryable: false,
    meaning: "the driver or the volume cannot do what was asked",
    hint: "`blockhaul drivers` shows what each driver can do",
  },
  ERR_NOT_A_VOLUME: {
    exitCode: 2,
    retryable: false,
    meaning: "what the ref names is neither an image file nor a block device",
  },
  ERR_NOT_FOUND: {
    exitCode: 3,
    retryable: false,
    meaning: "the volume, or something on the way to it, does not exist",
  },
  ERR_PERMISSION: {
    exitCode: 1,
    retryable: false,
    meaning: "this user may not open or change the volume",
    hint: "look at its owner and mode; block devices usually need root or the group `disk`",
  },
  ERR_IN_USE: {
    exitCode: 4,
    retryable: false,
    meaning: "the volume is used by somebody else",
    hint: "unmount it, or stop what holds it (`lsblk` and `fuser -v` show what), and try again",
  },
  ERR_EXISTS: {
    exitCode: 4,
    retryable: false,
    meaning: "what was to be created exists already",
    hint: "name another target, or leave out --create to overwrite the one that is there",
  },
  ERR_NOT_EMPTY: {
    exitCode: 4,
    retryable: false,
    meaning: "the target carries a file system, a partition table or another signature",
    hint: "look at it with `wipefs` or `blkid -p`; to overwrite it: --allow-signature",
  },
  ERR_LIVE_SOURCE: {
    exitCode: 4,
    retryable: false,
    meaning: "somebody may write to the source while it is copied",
    hint: "copy a snapshot, or end what may write to it; to copy it all the same: --allow-live-source",
  },
  ERR_READ_ONLY: {
    exitCode: 4,
    retryable: false,
    meaning: "the volume cannot be written to",
    hint: "lift its write protection where it lives, or name another target",
  },
  ERR_TARGET_TOO_SMALL: {
    exitCode: 4,
    retryable: false,
    meaning: "the target has fewer bytes than the source",
    hint: "enlarge the target, or create a new one",
  },
  ERR_SAME_VOLUME: {
    exitCode: 4,
    retryable: false,
    meaning: "source and target are the same bytes",
  },
  ERR_VOLUME_CHANGED: {
    exitCode: 4,
    retryable: false,
    meaning: "a volume is not the one any more that was named, or not of the size that it had",
    hint: "find out who removed, replaced or resized it, and begin anew; what was copied proves nothing of what is there now",
  },
  ERR_WRONG_DEVICE: {
    exitCode: 4,
    retryable: false,
    meaning: "a device is not the one that was expected",
    hint: "do not use it: find out what the target exports there, and what this host has left of it",
  },
  ERR_IO: {
    exitCode: 1,
    retryable: false,
    meaning: "the medium failed to read or write",
    hint: "look for the device in the kernel's log (`dmesg`), or at the cluster's health",
  },
  ERR_VERIFICATION: {
    exitCode: 6,
    retryable: false,
    meaning: "a volume does not hold the bytes that it should",
    hint: "do not use it: look for the device in the kernel's log, then copy again; --repair writes what differs once more",
  },
  ERR_WRONG_MAP: {
    exitCode: 1,
    retryable: false,
    meaning:
      "storage says that nothing is where it has data: what is read there is not what was written",
    hint: "`rbd object-map rebuild` makes an image's or a snapshot's map anew; what was copied by the old one lacks data",
  },
  ERR_JOURNAL: {
    exitCode: 4,
    retryable: false,
    meaning: "a journal cannot be used, or does not fit the volumes any more",
    hint: "`blockhaul jobs` lists the journals; a new copy begins with one of its own",
  },
  ERR_HOOK: {
    exitCode: 1,
    retryable: false,
    meaning: "a hook of a migration failed",
  },
  ERR_MANIFEST: {
    exitCode: 2,
    retryable: false,
    meaning: "a file is no manifest, or was changed",
  },
  ERR_NO_SPACE: {
    exitCode: 1,
    retryable: false,
    meaning: "there is no room left, or a quota is used up",
    hint: "make room where the target lives; the source is untouched",
  },
  ERR_TOO_LARGE: {
    exitCode: 1,
    retryable: false,
    meaning: "the file system, or a limit of this user's, takes no file of that size",
    hint: "`ulimit -f` shows the limit; ext4 takes files up to 16 TiB, vfat up to 4 GiB: use another file system, or a block device",
  },
  ERR_DEVICE_GONE: {
    exitCode: 1,
    retryable: false,
    meaning: "the device or the connection behind an open volume vanished",
  },
  ERR_RESOURCES: {
    exitCode: 5,
    retryable: true,
    meaning: "this host is short of memory, file descriptors or the like",
    hint: "a smaller --memory helps; `blockhaul doctor` shows this host's limits",
  },
  ERR_TIMEOUT: {
    exitCode: 5,
    retryable: true,
    meaning: "no answer within the deadline",
    hint: "check that the storage can be reached from this host",
  },
  ERR_UNREACHABLE: {
    exitCode: 5,
    retryable: true,
    meaning: "the storage could not be reached",
    hint: "check the addresses, the network, and that the service runs",
  },
  ERR_AUTHENTICATION: {
    exitCode: 1,
    retryable: false,
    meaning: "the storage did not accept who we say we are",
    hint: "check the user and its key; secrets belong in a keyring or a file, never in a ref",
  },
  ERR_DRIVER_UNAVAILABLE: {
    exitCode: 8,
    retryable: false,
    meaning: "a library or a program that the driver needs is missing on this host",
    hint: "`blockhaul doctor` says what to install",
  },
  ERR_NATIVE_UNAVAILABLE: {
    exitCode: 8,
    retryable: false,
    meaning: "no native binary of blockhaul fits this host",
  },
  ERR_VOLUME_CLOSED: {
    exitCode: 1,
    retryable: false,
    meaning: "the volume was used after it was closed",
  },
  ERR_CANCELLED: {
    exitCode: 130,
    retryable: true,
    meaning: "the operation was stopped on request",
  },
  ERR_INTERNAL: {
    exitCode: 1,
    retryable: false,
    meaning: "a fault in blockhaul or in a driver",
    hint: "please report it, with the output of the same command with -v",
  },
} as const satisfies Record<string, ErrorCodeFacts>;

/** A stable name of a kind of failure. */
export type ErrorCode = keyof typeof CODES;

/** Every code, with what follows from it. */
export const ERROR_CODES: Readonly<Record<ErrorCode, ErrorCodeFacts>> = CODES;

/** Whether a text is the name of a code. */
export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === "string" && Object.hasOwn(CODES, text);
}
