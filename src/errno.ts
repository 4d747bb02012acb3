import { constants } from "node:os";

import type { ErrorCode } from "./error-codes.js";

/** Names that Node's own table lacks; the numbers are those of Linux on x86, ARM, RISC-V and POWER. */
const FURTHER_NAMES: Readonly<Record<number, string>> = {
  15: "ENOTBLK",
  95: "ENOTSUP",
  108: "ESHUTDOWN",
  112: "EHOSTDOWN",
  117: "EUCLEAN",
  121: "EREMOTEIO",
  123: "ENOMEDIUM",
  124: "EMEDIUMTYPE",
  126: "ENOKEY",
  129: "EKEYREJECTED",
};

const NAMES: ReadonlyMap<number, string> = new Map([
  ...Object.entries(constants.errno).map(([name, number]): [number, string] => [number, name]),
  [constants.errno.EAGAIN, "EAGAIN"],
  ...Object.entries(FURTHER_NAMES).map(([number, name]): [number, string] => [
    Number(number),
    name,
  ]),
]);

const NUMBERS: ReadonlyMap<string, number> = new Map(
  [...NAMES].map(([number, name]) => [name, number]),
);

const CODE_OF_NAME: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "ERR_NOT_FOUND",
  ENOTDIR: "ERR_NOT_FOUND",
  EACCES: "ERR_PERMISSION",
  EPERM: "ERR_PERMISSION",
  EBUSY: "ERR_IN_USE",
  ETXTBSY: "ERR_IN_USE",
  EEXIST: "ERR_EXISTS",
  EROFS: "ERR_READ_ONLY",
  EISDIR: "ERR_NOT_A_VOLUME",
  ENOTBLK: "ERR_NOT_A_VOLUME",
  ESPIPE: "ERR_NOT_A_VOLUME",
  ENOSPC: "ERR_NO_SPACE",
  EDQUOT: "ERR_NO_SPACE",
  EFBIG: "ERR_TOO_LARGE",
  ENXIO: "ERR_DEVICE_GONE",
  ENODEV: "ERR_DEVICE_GONE",
  ENOMEDIUM: "ERR_DEVICE_GONE",
  ESHUTDOWN: "ERR_DEVICE_GONE", // what librbd answers to a client that the cluster shut out
  ENOMEM: "ERR_RESOURCES",
  ENOBUFS: "ERR_RESOURCES",
  EMFILE: "ERR_RESOURCES",
  ENFILE: "ERR_RESOURCES",
  EAGAIN: "ERR_RESOURCES",
  ETIMEDOUT: "ERR_TIMEOUT",
  ECONNREFUSED: "ERR_UNREACHABLE",
  ECONNRESET: "ERR_UNREACHABLE",
  ECONNABORTED: "ERR_UNREACHABLE",
  ENOTCONN: "ERR_UNREACHABLE",
  EPIPE: "ERR_UNREACHABLE",
  EHOSTUNREACH: "ERR_UNREACHABLE",
  EHOSTDOWN: "ERR_UNREACHABLE",
  ENETUNREACH: "ERR_UNREACHABLE",
  ENETDOWN: "ERR_UNREACHABLE",
  EADDRNOTAVAIL: "ERR_UNREACHABLE",
  EKEYREJECTED: "ERR_AUTHENTICATION",
  ENOKEY: "ERR_AUTHENTICATION",
  ENOTSUP: "ERR_UNSUPPORTED",
  ENOSYS: "ERR_UNSUPPORTED",
  ECANCELED: "ERR_CANCELLED",
};

/** While a volume is opened, these say something else than in the middle of its use. */
const CODE_AT_OPEN: Readonly<Record<string, ErrorCode>> = {
  ENXIO: "ERR_NOT_FOUND", // a node in /dev without a device behind it
  ENODEV: "ERR_NOT_FOUND",
  EINVAL: "ERR_INVALID_ARGUMENT",
  ELOOP: "ERR_INVALID_REF",
  ENAMETOOLONG: "ERR_INVALID_REF",
};

/** "ENOSPC" of 28. */
export function errnoName(errno: number): string | undefined {
  return NAMES.get(Math.abs(errno));
}

/** 28 of "ENOSPC". */
export function errnoNumber(name: string): number | undefined {
  return NUMBERS.get(name);
}

/**
 * The one mapping from errno to code, for every driver and for the engine.
 *
 * @param errno positive, or negative as Node and librbd write it
 * @param operation what was being done: "open", "read", "write", "zero", "flush", "map", "close"
 */
export function codeFromErrno(errno: number, operation?: string): ErrorCode {
  const name = errnoName(errno) ?? "";
  const atOpen = operation === "open" ? CODE_AT_OPEN[name] : undefined;
  return atOpen ?? CODE_OF_NAME[name] ?? "ERR_IO";
}
