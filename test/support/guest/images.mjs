// A cluster in the guest, and its images as Ceph's own tools show them.

import { rmSync } from "node:fs";

import { startCeph } from "../ceph.mjs";
import { must, scratch } from "./exec.mjs";

const MiB = 1024 * 1024;

/** The pool "rbd" of a throw-away cluster. */
export class Images {
  /** @type {import("../ceph.mjs").CephCluster} */
  #ceph;

  /** @param {import("../ceph.mjs").CephCluster} ceph */
  constructor(ceph) {
    this.#ceph = ceph;
  }

  static async start() {
    const settings = { "memstore device bytes": String(512 * MiB) };
    return new Images(await startCeph({ dir: "/run/ceph", store: "memstore", settings }));
  }

  get conf() {
    return this.#ceph.conf;
  }

  /** @param {...string} args */
  rbd(...args) {
    return must("rbd", ["-c", this.conf, ...args]);
  }

  /** @returns {Promise<string[]>} "image", "image@snapshot", and "image: ADDRESS" of each who has it open */
  async listing() {
    const found = [];
    for (const name of await this.#names()) {
      const snapshots = await this.#json("snap", "ls", name);
      const watchers = await this.#watchers(name);
      found.push(
        name,
        ...snapshots.map((/** @type {{ name: string }} */ one) => `${name}@${one.name}`),
      );
      found.push(...watchers.map(({ address }) => `${name}: ${address}`));
    }
    return found.sort();
  }

  /**
   * @param {string} image or snapshot
   * @returns {Promise<string>} a file with its bytes, until the next one
   */
  async export(image) {
    const file = `${scratch}/exported`;
    rmSync(file, { force: true });
    await this.rbd("export", image, file);
    return file;
  }

  /** What a dead client has of an image goes at once, as an operator can have it, and not after 30 seconds. */
  async forgetDeadClients() {
    for (const name of await this.#names()) {
      for (const { address } of await this.#watchers(name)) {
        await must("ceph", ["-c", this.conf, "osd", "blocklist", "add", address]);
      }
    }
  }

  /** Removes all of them. */
  async clear() {
    for (const name of await this.#names()) {
      await this.rbd("snap", "purge", name);
      await this.rbd("rm", name);
    }
  }

  stop() {
    return this.#ceph.stop();
  }

  /** @returns {Promise<string[]>} */
  #names() {
    return this.#json("ls");
  }

  /**
   * @param {string} name
   * @returns {Promise<{ address: string }[]>}
   */
  async #watchers(name) {
    return (await this.#json("status", name)).watchers ?? [];
  }

  /** @param {...string} args */
  async #json(...args) {
    return JSON.parse(await this.rbd(...args, "--format", "json"));
  }
}
