/** What is built on a file or a device, and what that is built on. */
import { resolvePath } from "../system/sysfs.js";
import { BlockDevices } from "./block-devices.js";
import { type HostFolders, THIS_HOST } from "./host.js";
import { type LoopDevice, listLoops } from "./loops.js";
import { listMounts, type MountOrigin } from "./mounts.js";
import { deviceOf, type HostNode, isDevice, keyOf, nodeOfKey } from "./node.js";

/** How a device came to be built on another; "whole": the other way round, what it is a part of. */
export type Layer = "itself" | "path" | "partition" | "holder" | "loop" | "whole";

export interface StackedNode {
  readonly node: HostNode;
  readonly key: string;
  readonly layer: Layer;
  /** The key of what it is built on; its own of the first. */
  readonly on: string;
}

/** One look at a host: what was read once is not read again. */
export class Stack {
  readonly host: HostFolders;
  readonly devices: BlockDevices;
  #loops: Promise<LoopDevice[]> | undefined;
  #mounts: Promise<MountOrigin[]> | undefined;

  constructor(host: HostFolders = THIS_HOST) {
    this.host = host;
    this.devices = new BlockDevices(host.sysfs);
  }

  loops(): Promise<LoopDevice[]> {
    this.#loops ??= listLoops(this.host);
    return this.#loops;
  }

  mounts(): Promise<MountOrigin[]> {
    this.#mounts ??= listMounts(this.host);
    return this.#mounts;
  }

  /**
   * A node and all that is built on it, whatever is between: first comes the node itself.
   *
   * @param besides layers that are left out, with what is built on them
   */
  async above(node: HostNode, besides: readonly Layer[] = []): Promise<StackedNode[]> {
    const key = keyOf(node);
    const found = new Map<string, StackedNode>([[key, { node, key, layer: "itself", on: key }]]);
    for (const { key: on } of found.values()) {
      for (const [layer, number] of await this.#directlyAbove(on)) {
        const device = deviceOf(number);
        if (device === undefined || found.has(number) || besides.includes(layer)) continue;
        found.set(number, { node: device, key: number, layer, on });
      }
    }
    return [...found.values()];
  }

  /**
   * What a node is a part of: who has that open reaches its bytes, too. The disk of a partition, by all of its paths, and
   * what is behind a loop device. Not the disks below device-mapper: its own tools open those all the time.
   */
  async around(node: HostNode): Promise<StackedNode[]> {
    const own = keyOf(node);
    const keys = await this.#descend(node, (key) => this.#wholeOf(key));
    const found: StackedNode[] = [];
    for (const key of keys) {
      const whole = nodeOfKey(key);
      if (key !== own && whole !== undefined)
        found.push({ node: whole, key, layer: "whole", on: own });
    }
    return found;
  }

  async #wholeOf(key: string): Promise<string[]> {
    if (key.includes("/")) return [];
    const disk = await this.devices.diskOf(key);
    const disks = disk === undefined ? [] : [disk, ...(await this.devices.namesakesOf(disk))];
    return [...disks, ...(await this.#behindLoop(key))];
  }

  /**
   * The keys of a node and of all that it is built on: disks of partitions, legs of maps and arrays,
   * what is behind loop devices, and what the file system of a file lies on.
   *
   * @param path of the node
   */
  async below(node: HostNode, path: string): Promise<Set<string>> {
    const own = keyOf(node);
    return this.#descend(node, async (key) => {
      const found = await this.#directlyBelow(key);
      return found.length === 0 && key === own && !isDevice(node)
        ? this.#originsOfPath(path)
        : found;
    });
  }

  /** The numbers of the disks that a device lies on, each by all of its paths. */
  async disksOf(node: HostNode): Promise<Set<string>> {
    const disks = new Set<string>();
    for (const key of await this.bottomOf(node)) {
      for (const path of [key, ...(await this.devices.namesakesOf(key))]) disks.add(path);
    }
    return disks;
  }

  /** The numbers of what a device lies on that lies on no other device: of a map of paths, each of them. */
  async bottomOf(node: HostNode): Promise<string[]> {
    const bottom: string[] = [];
    for (const key of await this.#descend(node, (one) => this.#devicesBelow(one))) {
      if ((await this.#devicesBelow(key)).length === 0) bottom.push(key);
    }
    return bottom;
  }

  async #descend(
    node: HostNode,
    step: (key: string) => Promise<readonly string[]>,
  ): Promise<Set<string>> {
    const found = new Set([keyOf(node)]);
    for (const key of found) for (const below of await step(key)) found.add(below);
    return found;
  }

  async #directlyAbove(key: string): Promise<[Layer, string][]> {
    const loops = (await this.loops()).filter(({ backing }) => backing && keyOf(backing) === key);
    const over = loops.map(({ number }): [Layer, string] => ["loop", number]);
    if (key.includes("/")) return over;
    const [partitions, holders, paths] = await Promise.all([
      this.devices.partitionsOf(key),
      this.devices.holdersOf(key),
      this.devices.namesakesOf(key),
    ]);
    return [
      ...partitions.map((number): [Layer, string] => ["partition", number]),
      ...holders.map((number): [Layer, string] => ["holder", number]),
      ...paths.map((number): [Layer, string] => ["path", number]),
      ...over,
    ];
  }

  async #devicesBelow(key: string): Promise<string[]> {
    const disk = await this.devices.diskOf(key);
    return [...(disk === undefined ? [] : [disk]), ...(await this.devices.slavesOf(key))];
  }

  async #directlyBelow(key: string): Promise<string[]> {
    const [fileSystem = "", inode] = key.split("/");
    if (inode !== undefined) return this.#originsOfFileSystem(fileSystem);
    return [...(await this.#devicesBelow(key)), ...(await this.#behindLoop(key))];
  }

  async #behindLoop(key: string): Promise<string[]> {
    const loop = (await this.loops()).find(({ number }) => number === key);
    return loop?.backing === undefined ? [] : [keyOf(loop.backing)];
  }

  /** Of a file system without a device of its own, those of the mount that has its number. */
  async #originsOfFileSystem(number: string): Promise<string[]> {
    if (!number.startsWith("0:")) return [number];
    const mount = (await this.mounts()).find(({ device }) => device === number);
    return [...(mount?.keys ?? [])];
  }

  /** Of a file on btrfs: its number is that of a subvolume, which no table has. */
  async #originsOfPath(file: string): Promise<string[]> {
    const real = await resolvePath(file);
    if (real === undefined) return [];
    const around = (await this.mounts()).filter(
      ({ mountPoint }) => mountPoint === "/" || real.startsWith(`${mountPoint}/`),
    );
    // Of equal ones the last, which hides those before it.
    const longest = around.reduce<MountOrigin | undefined>(
      (best, mount) =>
        best === undefined || mount.mountPoint.length >= best.mountPoint.length ? mount : best,
      undefined,
    );
    return [...(longest?.keys ?? [])];
  }
}
