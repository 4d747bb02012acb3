/** What is mounted or swapped to, and from which files and devices. */
import { readFile } from "node:fs/promises";
import path from "node:path";

import { listFolder, readAttribute } from "../system/sysfs.js";
import type { HostFolders } from "./host.js";
import { type Mount, parseMountInfo, parseSwaps, type Swap } from "./mount-table.js";
import { keyOf, nodeAt } from "./node.js";

/** A mount, and the keys (`keyOf`) of all that it lies on. */
export interface MountOrigin extends Mount {
  readonly keys: ReadonlySet<string>;
}

export interface SwapOrigin extends Swap {
  readonly key: string;
}

/**
 * The mounts of this process, or of another one's mount namespace.
 *
 * @param process "self" or a process's number
 */
export async function listMounts(
  host: HostFolders,
  process: string | number = "self",
): Promise<MountOrigin[]> {
  const table = path.join(host.proc, String(process), "mountinfo");
  const mounts = parseMountInfo(await readFile(table, "utf8").catch(() => ""));
  const btrfs = mounts.some(({ type }) => type === "btrfs") ? await devicesOfBtrfs(host) : [];
  return Promise.all(mounts.map((mount) => findOrigin(mount, btrfs)));
}

/** All swap that is in use. */
export async function listSwaps(host: HostFolders): Promise<SwapOrigin[]> {
  const table = await readFile(path.join(host.proc, "swaps"), "utf8").catch(() => "");
  const swaps = await Promise.all(
    parseSwaps(table).map(async (swap) => {
      const node = await nodeAt(swap.path);
      return node === undefined ? [] : [{ ...swap, key: keyOf(node) }];
    }),
  );
  return swaps.flat();
}

/** A file system on several devices, such as btrfs, has a number of its own and names one of them. */
async function findOrigin(
  mount: Mount,
  btrfs: readonly ReadonlySet<string>[],
): Promise<MountOrigin> {
  if (!mount.device.startsWith("0:")) return { ...mount, keys: new Set([mount.device]) };
  // bcachefs lists all of its devices.
  const sources = mount.source.split(":").filter((source) => source.startsWith("/"));
  const nodes = await Promise.all(sources.map(nodeAt));
  const keys = new Set(nodes.flatMap((node) => (node === undefined ? [] : [keyOf(node)])));
  const all = btrfs.find((devices) => [...devices].some((device) => keys.has(device)));
  if (mount.type === "btrfs" && all !== undefined) for (const device of all) keys.add(device);
  return { ...mount, keys };
}

/** The device numbers of each btrfs that is mounted. */
async function devicesOfBtrfs(host: HostFolders): Promise<Set<string>[]> {
  const root = path.join(host.sysfs, "fs/btrfs");
  const found: Set<string>[] = [];
  for (const uuid of await listFolder(root)) {
    const folder = path.join(root, uuid, "devices");
    const names = await listFolder(folder);
    const numbers = await Promise.all(
      names.map((name) => readAttribute(path.join(folder, name, "dev"))),
    );
    found.push(new Set(numbers.filter((number) => number !== undefined)));
  }
  return found;
}
