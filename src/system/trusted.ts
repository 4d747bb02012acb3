/**
 * Who could have written a file, or put another one in its place: the one look of all that believe what a file says, and
 * of all that load code. Trusted are root and the user of this process.
 */
import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open, readlink, statfs } from "node:fs/promises";
import path from "node:path";

import { BlockhaulError } from "../errors.js";

/** Of a mode: its group's and everybody's. A group is others, whoever is in it today. */
const WRITABLE_BY_OTHERS = 0o022;
/** Of a folder: in it, nobody renames or removes what is another's. */
const STICKY = 0o1000;
/** Links that a path may lead through: as many as the kernel follows. */
export const MOST_LINKS = 40;

/**
 * "file": the folder that it lies in must not be writable by others, not even sticky: they could put one of that name
 * there. "entry": a folder, or a file whose owner says enough.
 */
export type TrustedKind = "file" | "entry";

/** Where a path leads, without a link in it, and what is there; undefined: nothing. */
export interface TrustedPath {
  readonly real: string;
  readonly status: Stats | undefined;
}

/**
 * Follows a path from / on and looks at each folder and link on the way, and at what it leads to: none of them may be
 * another user's, or be writable by others. A sticky folder may be where what lies in it is trusted. Once a way was found
 * good, nobody else can lead it elsewhere; so what is opened next by `real` is what was looked at.
 *
 * @returns where it leads; of what is missing, the folders that are there were looked at, and nobody else can put a
 *   file there
 * @throws BlockhaulError ERR_PERMISSION, whose message is to be read behind the path, and says what to do; by errno
 *   what cannot be looked at
 */
export async function requireTrusted(file: string, kind: TrustedKind): Promise<TrustedPath> {
  // Not path.resolve(): "link/.." is not the folder that the link lies in.
  const names = (path.isAbsolute(file) ? file : `${process.cwd()}/${file}`).split("/");
  const systems = new FileSystems();
  let at = "/";
  let status = await lstat(at);
  for (let links = 0; ; ) {
    const name = names.shift();
    if (name === undefined) break;
    if (name === "" || name === ".") continue;
    if (!status.isDirectory()) return { real: path.join(at, name, ...names), status: undefined };
    // A sticky one is fine here: what lies in it is looked at next.
    await systems.lookAt(at, status);
    refuseForeign(at, status, inFolder(at), true);
    const next = path.join(at, name);
    const found = await lstat(next).catch(absent);
    if (found === undefined) {
      if (kind === "file") await refuseOpenFolder(at);
      return { real: path.join(next, ...names), status: undefined };
    }
    if (found.isSymbolicLink()) {
      if (!isTrustedUser(found.uid)) throw refused(throughLink(next), ofOther(found.uid));
      if (++links > MOST_LINKS) throw new BlockhaulError("ERR_NOT_FOUND", { message: TOO_MANY });
      const target = await readlink(next);
      if (path.isAbsolute(target)) {
        at = "/";
        status = await lstat(at);
      }
      names.unshift(...target.split("/"));
      continue;
    }
    at = next;
    status = found;
  }
  await systems.lookAt(at, status);
  systems.refuse();
  refuseForeign(at, status, "", false);
  if (kind === "file") await refuseOpenFolder(path.dirname(at));
  return { real: at, status };
}

/** Who puts names into a folder can give one to any file: sticky or not. */
async function refuseOpenFolder(folder: string): Promise<void> {
  const { mode } = await lstat(folder);
  if (!isWritableByOthers({ mode })) return;
  throw refused(
    inFolder(folder),
    `can be written to by others (${modeOf({ mode })})`,
    "move it to a folder of your own",
  );
}

/**
 * The bytes of a file that nobody else can have written, and of no link, pipe or device in its place.
 *
 * @param most bytes that it may have
 * @returns undefined where it is missing
 * @throws as `requireTrusted`; ERR_INVALID_ARGUMENT for what is no regular file, and for one that has more
 */
export async function readTrusted(file: string, most: number): Promise<Buffer | undefined> {
  const { real, status } = await requireTrusted(file, "file");
  return status === undefined ? undefined : readOwn(real, most);
}

/**
 * The bytes of a file that nobody else can have written, in a folder that was found good.
 *
 * @throws as `readTrusted`
 */
export async function readOwn(file: string, most: number): Promise<Buffer | undefined> {
  // A named pipe must not keep us waiting.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(file, flags).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ELOOP") throw refused("", IS_LINK);
    return absent(error);
  });
  if (handle === undefined) return undefined;
  try {
    refuseForeignFile(file, await handle.stat());
    return await readAtMost(handle, most);
  } finally {
    await handle.close();
  }
}

/**
 * Looks whether nobody else can have written a file, in a folder that was found good.
 *
 * @returns false where it is missing
 * @throws BlockhaulError ERR_PERMISSION; ERR_INVALID_ARGUMENT for what is no regular file
 */
export async function checkOwn(file: string): Promise<boolean> {
  const status = await lstat(file).catch(absent);
  if (status === undefined) return false;
  refuseForeignFile(file, status);
  return true;
}

function refuseForeignFile(file: string, status: Stats): void {
  if (status.isSymbolicLink()) throw refused("", IS_LINK);
  if (!status.isFile()) throw new BlockhaulError("ERR_INVALID_ARGUMENT", { message: NO_FILE });
  refuseForeign(file, status, "", false);
}

/** @throws BlockhaulError ERR_INVALID_ARGUMENT where there is more in the file */
export async function readAtMost(handle: FileHandle, most: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let length = 0; length <= most; ) {
    const piece = Buffer.alloc(Math.min(64 * 1024, most + 1 - length));
    const { bytesRead } = await handle.read(piece, 0, piece.length, null);
    if (bytesRead === 0) return Buffer.concat(pieces);
    pieces.push(piece.subarray(0, bytesRead));
    length += bytesRead;
  }
  throw new BlockhaulError("ERR_INVALID_ARGUMENT", { message: `is larger than ${sizeOf(most)}` });
}

/** What has a path, itself and not what a link leads to; undefined: nothing. */
export function lstatIfThere(file: string): Promise<Stats | undefined> {
  return lstat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return undefined;
  });
}

/** Root, and the user of this process. */
export function isTrustedUser(uid: number): boolean {
  return uid === 0 || uid === process.geteuid?.();
}

/** Its group's members, or everybody. */
export function isWritableByOthers({ mode }: Pick<Stats, "mode">): boolean {
  return (mode & WRITABLE_BY_OTHERS) !== 0;
}

/** Why what a file or a folder holds may be another user's doing, by itself; undefined: it is not. */
export function faultOf(status: Pick<Stats, "uid" | "mode">): string | undefined {
  if (!isTrustedUser(status.uid)) return ofOther(status.uid);
  if (isWritableByOthers(status)) return `can be written to by others (${modeOf(status)})`;
  return undefined;
}

/** ERR_PERMISSION about something that a path leads to. */
export function refused(where: string, reason: string, mend?: string): BlockhaulError {
  return new BlockhaulError("ERR_PERMISSION", {
    message: `${where}${reason}${mend === undefined ? "" : `: ${mend}`}`,
  });
}

/** @param where what stands before the reason: of a folder on the way, that it is one */
function refuseForeign(at: string, status: Stats, where: string, maySticky: boolean): void {
  const isSticky = maySticky && status.isDirectory() && (status.mode & STICKY) !== 0;
  const reason = faultOf(isSticky ? { uid: status.uid, mode: 0 } : status);
  if (reason === undefined) return;
  throw refused(where, reason, isTrustedUser(status.uid) ? `chmod go-w ${at}` : undefined);
}

/** File systems whose files have the owner that the mount, a program or a process gives them, by statfs(2)'s numbers. */
const OWNERLESS: ReadonlyMap<number, string> = new Map([
  [0x9fa0, "proc"],
  [0x65735546, "FUSE"],
  [0x4d44, "vfat"],
  [0x2011bab0, "exFAT"],
  [0x5346544e, "NTFS"],
  [0x7366746e, "NTFS"],
  [0x4244, "HFS"],
  [0x482b, "HFS+"],
  [0x9660, "ISO 9660"],
  [0x15013346, "UDF"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB"],
  [0x517b, "SMB"],
  [0x01021997, "9p"],
  [0x786f4256, "vboxsf"],
  [0x19800202, "mqueue"],
]);
const PROC = 0x9fa0;

/** Those that a way leads through, each asked once. What is missing in the end is nobody's, on whichever they are. */
class FileSystems {
  readonly #known = new Set<number>();
  #refusal: BlockhaulError | undefined;

  async lookAt(at: string, { dev }: Stats): Promise<void> {
    if (this.#known.has(dev)) return;
    this.#known.add(dev);
    const type = (await statfs(at)).type >>> 0;
    // An ordinary user's home may lie on one, and be served to him alone.
    const counts = process.geteuid?.() === 0 || type === PROC;
    const system = counts ? OWNERLESS.get(type) : undefined;
    if (system === undefined) return;
    this.#refusal ??= refused(
      "",
      `lies below ${at} on ${system}, where the owners of files say nothing`,
      "move it to another file system",
    );
  }

  /** @throws BlockhaulError ERR_PERMISSION where one of them has owners that say nothing */
  refuse(): void {
    if (this.#refusal !== undefined) throw this.#refusal;
  }
}

const TOO_MANY = "its path leads through too many links";
const NO_FILE = "is no file";
const IS_LINK = "is a link, which is not followed here";

function inFolder(at: string): string {
  return `lies in ${at}, which `;
}

function throughLink(link: string): string {
  return `is reached through the link ${link}, which `;
}

function ofOther(uid: number): string {
  const whose = process.geteuid?.() === 0 ? "root's" : "root's or your own";
  return `belongs to another user (${uid}): it has to be ${whose}`;
}

/** "mode 0775" */
function modeOf({ mode }: Pick<Stats, "mode">): string {
  return `mode ${(mode & 0o7777).toString(8).padStart(4, "0")}`;
}

function sizeOf(bytes: number): string {
  return bytes >= 1024 ** 2 ? `${bytes / 1024 ** 2} MiB` : `${bytes / 1024} KiB`;
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw error;
}
