/** A copy of an image file by reference: both share what they hold until one of them is written to. */
import { chmod, constants, copyFile, lstat, open, stat, statfs, unlink } from "node:fs/promises";
import path from "node:path";

import type { CreateOptions, ShortWay, ShortWayOptions } from "../driver.js";
import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { native } from "../native.js";
import type { PathLocation } from "./path.js";
import { onTheWay, type PathWay } from "./path-way.js";
import { refuseAborted } from "./refuse-aborted.js";

/** File systems that share extents, by the magic numbers of statfs(2). */
const SHARING = new Set([
  0x58465342, // xfs
  0x9123683e, // btrfs
  0xca451a4e, // bcachefs
  0x7461636f, // ocfs2
]);

/** What FICLONE is refused with by a file system that does not share after all. */
const NOT_SHARED = new Set(["EOPNOTSUPP", "ENOTSUP", "ENOTTY", "ENOSYS", "EXDEV", "EINVAL"]);

/**
 * A reflink, where both lie on one file system that knows them. Nothing but a reflink: copy_file_range
 * elsewhere moves every byte as the engine does, but fills holes, tells no progress and cannot be stopped.
 * A thick target is no copy by reference: it would have no space of its own.
 */
export async function reflinkWay(
  source: PathLocation,
  target: PathLocation,
  { size, provisioning }: CreateOptions,
): Promise<ShortWay | undefined> {
  if (provisioning === "thick") return undefined;
  const folder = path.dirname(target.path);
  const [file, directory] = await Promise.all([
    onTheWay(source, ({ at }) => stat(at)),
    stat(folder).catch(() => undefined),
  ]);
  if (!file.isFile() || file.size !== size || directory?.dev !== file.dev) return undefined;
  if (!SHARING.has((await statfs(folder)).type)) return undefined;
  const run = (options: ShortWayOptions) =>
    onTheWay(source, ({ at: from }) =>
      onTheWay(target, (to) => reflink(from, to, size, options), true),
    );
  return { method: "reflink", run };
}

async function reflink(
  source: string,
  { at: target, sync }: PathWay,
  size: number,
  { signal, onProgress, onNotKept }: ShortWayOptions,
): Promise<void> {
  refuseAborted(signal);
  await clone(source, target);
  try {
    // Until it has the source's group, nobody gets what belongs to that.
    await chmod(target, 0o600);
    for (const text of await native().keepFileAttributes(source, target)) onNotKept?.(text);
    await syncFile(target);
    await sync();
    const { size: copied } = await lstat(target);
    if (copied !== size) {
      throw new BlockhaulError("ERR_IO", { message: "the source's size changed meanwhile" });
    }
    refuseAborted(signal);
  } catch (error) {
    await unlink(target).catch(() => {});
    throw error;
  }
  onProgress?.(size);
}

/** Makes the target, or leaves nothing: libuv removes what it made where sharing fails. */
async function clone(source: string, target: string): Promise<void> {
  try {
    await copyFile(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
  } catch (error) {
    if (!NOT_SHARED.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
    throw toBlockhaulError(error, {
      message: "the file system makes no copies by reference, although it is of a kind that can",
      hint: "copy every byte: --method copy",
    });
  }
}

async function syncFile(file: string): Promise<void> {
  const handle = await open(file, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
