import { BlockhaulError } from "../errors.js";
import { type NativePosixOptions, type NativeVolume, native } from "../native.js";
import { nodeAt } from "./node.js";
import { usesOf } from "./uses.js";

/**
 * Opens a file or a block device. One that is to be shared is claimed all the same where nobody else
 * has: nobody can come between then.
 *
 * @throws BlockhaulError ERR_IN_USE, naming who uses it, where somebody has claimed it and it is not
 *   to be shared
 */
export async function openDevice({
  shared = false,
  ...options
}: NativePosixOptions): Promise<NativeVolume> {
  try {
    return await native().openPosix(options);
  } catch (error) {
    if (!(error instanceof BlockhaulError) || error.code !== "ERR_IN_USE") throw error;
    if (!shared) throw await namingUsers(error, options);
  }
  return native().openPosix({ ...options, shared });
}

async function namingUsers(
  error: BlockhaulError,
  { path, mode }: NativePosixOptions,
): Promise<BlockhaulError> {
  const node = await nodeAt(path);
  const uses = node === undefined ? [] : await usesOf(node).catch(() => []);
  const isMounted = uses.some(({ kind }) => kind === "mount" || kind === "swap");
  const flags = [
    ...(isMounted ? ["--allow-mounted"] : []),
    ...(!isMounted || uses.some(({ kind }) => kind === "holder" || kind === "writer")
      ? ["--allow-held"]
      : []),
  ];
  return new BlockhaulError("ERR_IN_USE", {
    volume: error.volume,
    operation: error.operation,
    errno: error.errno,
    message:
      uses.length === 0
        ? "it is in use by this process itself, by somebody whom this user cannot see, or by a part of the kernel such as ZFS or DRBD"
        : uses.map(({ text }) => text).join("; "),
    hint: `end that (\`lsblk ${path}\` and \`fuser -v ${path}\` show it)${mode === "read" ? "" : `, or write to it all the same: ${flags.join(" ")}`}`,
    cause: error,
  });
}
