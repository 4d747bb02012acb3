/** The file that a loop device lies on. */
import { readFile } from "node:fs/promises";
import path from "node:path";

import { native } from "../native.js";
import type { HostNode } from "./node.js";

export interface BackingFile {
  readonly path: string;
  readonly node: HostNode;
  /** Bytes. */
  readonly size: number;
}

/** Undefined of what is no loop device, and where the file cannot be reached by its name. */
export async function backingFileOf(
  { major, minor }: HostNode,
  sysfs = "/sys",
): Promise<BackingFile | undefined> {
  const attribute = path.join(sysfs, "dev/block", `${major}:${minor}`, "loop/backing_file");
  const text = await readFile(attribute, "utf8").catch(() => undefined);
  const file = text?.replace(/\n$/, "");
  const found = file === undefined ? undefined : await native().lookAtPath(file);
  if (file === undefined || !found?.isFile) return undefined;
  const { inode, size } = found;
  return { path: file, node: { major: found.major, minor: found.minor, inode }, size };
}
