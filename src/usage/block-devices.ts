/** Block devices and what is built on what, as sysfs has it. */
import path from "node:path";

import { listFolder, readAttribute, resolvePath } from "../system/sysfs.js";

/** Device numbers are texts: "8:16". What is absent is undefined or empty: devices come and go. */
export class BlockDevices {
  readonly #sysfs: string;
  readonly #folders = new Map<string, Promise<string | undefined>>();

  constructor(sysfs: string) {
    this.#sysfs = sysfs;
  }

  /** "sdb1" */
  async nameOf(number: string): Promise<string> {
    const folder = await this.#folderOf(number);
    return folder === undefined ? number : path.basename(folder);
  }

  async partitionsOf(number: string): Promise<string[]> {
    const folder = await this.#folderOf(number);
    if (folder === undefined) return [];
    const name = path.basename(folder);
    const inside = (await listFolder(folder)).filter((entry) => entry.startsWith(name));
    return this.#numbersIn(inside.map((entry) => path.join(folder, entry)));
  }

  /** The disk that a partition is on; undefined of what is no partition. */
  async diskOf(number: string): Promise<string | undefined> {
    const folder = await this.#folderOf(number);
    if (folder === undefined) return undefined;
    const isPartition = (await readAttribute(path.join(folder, "partition"))) !== undefined;
    return isPartition ? readAttribute(path.join(folder, "../dev")) : undefined;
  }

  /** Those that are built on it. */
  holdersOf(number: string): Promise<string[]> {
    return this.#linkedFrom(number, "holders");
  }

  /** Those that it is built on. */
  slavesOf(number: string): Promise<string[]> {
    return this.#linkedFrom(number, "slaves");
  }

  async isReadOnly(number: string): Promise<boolean> {
    return (await this.attribute(number, "ro")) === "1";
  }

  /** What it is, in words: "the LVM volume vg0-a (dm-3)" */
  async describe(number: string): Promise<string> {
    const [name, mapped, uuid = ""] = await Promise.all([
      this.nameOf(number),
      this.attribute(number, "dm/name"),
      this.attribute(number, "dm/uuid"),
    ]);
    if (mapped !== undefined) {
      const [, kind] = MAPPED_KINDS.find(([pattern]) => pattern.test(uuid)) ?? [];
      return `${kind ?? "the device-mapper device"} ${mapped} (${name})`;
    }
    if (/^md\d/.test(name)) return `the md array ${name}`;
    if (/^loop\d/.test(name)) return `the loop device ${name}`;
    return name;
  }

  async attribute(number: string, name: string): Promise<string | undefined> {
    const folder = await this.#folderOf(number);
    return folder === undefined ? undefined : readAttribute(path.join(folder, name));
  }

  /** Other devices that say that they are the same disk: further paths to it. */
  async namesakesOf(number: string): Promise<string[]> {
    const own = await this.#wwidOf(await this.#folderOf(number));
    if (own === undefined) return [];
    const block = path.join(this.#sysfs, "block");
    const alike: string[] = [];
    for (const name of await listFolder(block)) {
      if (NEVER_DISKS.test(name)) continue;
      const folder = path.join(block, name);
      if ((await this.#wwidOf(folder)) !== own) continue;
      alike.push(...(await this.#numbersIn([folder])));
    }
    return alike.filter((other) => other !== number);
  }

  async #wwidOf(folder: string | undefined): Promise<string | undefined> {
    if (folder === undefined) return undefined;
    const own = await readAttribute(path.join(folder, "wwid"));
    const wwid = own || (await readAttribute(path.join(folder, "device/wwid"))) || undefined;
    return wwid === undefined || LOCAL_WWIDS.test(wwid) ? undefined : wwid;
  }

  async #linkedFrom(number: string, links: "holders" | "slaves"): Promise<string[]> {
    const folder = await this.#folderOf(number);
    if (folder === undefined) return [];
    const names = await listFolder(path.join(folder, links));
    return this.#numbersIn(names.map((name) => path.join(folder, links, name)));
  }

  async #numbersIn(folders: readonly string[]): Promise<string[]> {
    const numbers = await Promise.all(
      folders.map((folder) => readAttribute(path.join(folder, "dev"))),
    );
    return numbers.filter((number) => number !== undefined && number !== "") as string[];
  }

  #folderOf(number: string): Promise<string | undefined> {
    const known = this.#folders.get(number);
    if (known !== undefined) return known;
    const folder = resolvePath(path.join(this.#sysfs, "dev/block", number));
    this.#folders.set(number, folder);
    return folder;
  }
}

const NEVER_DISKS = /^(?:loop|ram|zram|dm-|md)\d/;

/** Those that another target may give to another disk: native/volume/posix_identity.cc says why. */
const LOCAL_WWIDS = /^(?:t10\.IET |naa\.60000000000000000e|naa\.3)/;

/** By what begins the UUID of a device of device-mapper. */
const MAPPED_KINDS: readonly (readonly [uuid: RegExp, kind: string])[] = [
  [/^LVM-/, "the LVM volume"],
  [/^mpath-/, "the multipath map"],
  [/^CRYPT-/, "the encrypted device"],
  [/^part\d+-/, "the partition map"],
];
