/** A lock on a block device is a lock on the node that leads to it, of which there may be several. */
import { existsSync } from "node:fs";
import path from "node:path";

import { type NativeInodeLock, native } from "../native.js";
import { readAttribute } from "../system/sysfs.js";
import { BlockDevices } from "./block-devices.js";
import { type HostFolders, THIS_HOST } from "./host.js";
import { parseMountInfo } from "./mount-table.js";
import { deviceOf, fileSystemAt, type HostNode, isDevice, keyOf } from "./node.js";

const NOT_THE_KERNELS =
  "its node is not in the kernel's own /dev: copies that use another node of it, as a container's, are not kept away";

/** A path, and the device that it is to lead to. */
export interface DeviceNode {
  readonly name: string;
  readonly node: HostNode;
}

/**
 * Why copies that reach a device by another way may not be met: its node is no node of the kernel's own
 * folder, which all of a host share, or nothing tells which names are the same disk.
 *
 * @returns a clause; undefined where they are met
 */
export async function whyNodeMayHaveTwins(
  { name, node }: { readonly name: string; readonly node?: HostNode },
  { sysfs, proc }: HostFolders = THIS_HOST,
): Promise<string | undefined> {
  if (node === undefined || !isDevice(node)) return undefined;
  if (!existsSync(path.join(sysfs, "dev", "block", keyOf(node)))) {
    return (
      `${sysfs} does not show it: copies that use the same disk by another name, ` +
      "a partition or a path, are not kept away"
    );
  }
  const [home, mounts] = [
    await fileSystemAt(name),
    await readAttribute(path.join(proc, "self", "mountinfo")),
  ];
  const isKernels = parseMountInfo(mounts ?? "").some(
    ({ device, type }) => type === "devtmpfs" && home !== undefined && device === keyOf(home),
  );
  if (!isKernels) return NOT_THE_KERNELS;
  const devices = new BlockDevices(sysfs);
  const disk = (await devices.diskOf(keyOf(node))) ?? keyOf(node);
  if ((await devices.namesakesOf(disk)).length === 0) return undefined;
  return "it is reached by several paths: copies of other users and containers by another of them are not kept away";
}

/**
 * The nodes of a disk's partitions in the kernel's own folder; none of a partition. One that is missing there
 * is listed all the same.
 */
export async function partitionNodesOf(
  disk: HostNode,
  { sysfs }: HostFolders = THIS_HOST,
): Promise<DeviceNode[]> {
  const devices = new BlockDevices(sysfs);
  const found: DeviceNode[] = [];
  for (const key of await devices.partitionsOf(keyOf(disk))) {
    const node = deviceOf(key);
    // sysfs writes "cciss!c0d0p1" of /dev/cciss/c0d0p1.
    const name = path.join("/dev", (await devices.nameOf(key)).replaceAll("!", "/"));
    if (node !== undefined) found.push({ name, node });
  }
  return found;
}

/**
 * Locks a device as `NativeVolume.lock` does, and claims nothing.
 *
 * @throws BlockhaulError where it cannot be opened
 */
export async function lockDevice(
  { name: path, node }: DeviceNode,
  exclusive: boolean,
): Promise<NativeInodeLock> {
  const mode = exclusive ? "write" : "read";
  const device = await native().openPosix({ path, mode, kind: "block", shared: true });
  try {
    const { node: found } = device.info;
    // The node of another device: what it would keep away is not ours.
    if (found === undefined || keyOf(found) !== keyOf(node))
      return { state: "unlockable", errno: 0 };
    return (await device.lock(exclusive)) ?? { state: "unlockable", errno: 0 };
  } finally {
    await device.close();
  }
}
