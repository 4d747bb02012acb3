import { readFile } from "node:fs/promises";
import path from "node:path";

import { listFolder, readAttribute } from "../system/sysfs.js";
import type { HostFolders } from "./host.js";
import { keyOf, nodeAt } from "./node.js";

/** A file or device that the kernel's own iSCSI target offers: no process has it open. */
export interface LioBackstore {
  /** "fileio_0/disk-1" */
  readonly name: string;
  readonly key: string;
}

export async function listBackstores(host: HostFolders): Promise<LioBackstore[]> {
  const core = path.join(host.sysfs, "kernel/config/target/core");
  const found: LioBackstore[] = [];
  for (const adapter of await listFolder(core)) {
    if (!/^(?:iblock|fileio)_\d+$/.test(adapter)) continue;
    for (const name of await listFolder(path.join(core, adapter))) {
      const folder = path.join(core, adapter, name);
      if ((await readAttribute(path.join(folder, "enable"))) !== "1") continue;
      const key = await keyOfBackstore(folder);
      if (key !== undefined) found.push({ name: `${adapter}/${name}`, key });
    }
  }
  return found;
}

/** Of a device `info` has the number, of a file the path. */
async function keyOfBackstore(folder: string): Promise<string | undefined> {
  const info = await readFile(path.join(folder, "info"), "utf8").catch(() => "");
  const [, major, minor] = /\bMajor: (\d+) Minor: (\d+)\b/.exec(info) ?? [];
  if (major !== undefined) return `${major}:${minor}`;
  const file = /\bFile: (.+?) {2}Size: /.exec(info)?.[1];
  const node = file === undefined ? undefined : await nodeAt(file);
  return node === undefined ? undefined : keyOf(node);
}
