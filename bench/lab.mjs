// Where a benchmark takes place: a folder on a disk, throw-away Ceph clusters, and a list of what is to be taken
// down at its end, however it ends.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import path from "node:path";

import { Stop, say } from "../scripts/lib/run.mjs";
import { startCeph } from "../test/support/ceph.mjs";

/** @typedef {"memstore" | "bluestore"} Store what a cluster's one OSD keeps its objects in */

export class Lab {
  /** @type {Map<Store, import("../test/support/ceph.mjs").CephCluster>} */
  #clusters = new Map();
  /** @type {(() => Promise<unknown> | void)[]} what is to be undone, last first */
  #cleanups = [];
  #abort = new AbortController();
  #names = 0;

  /** @param {string} [parent] a folder on the disk to measure on */
  constructor(parent = tmpdir()) {
    this.folder = mkdtempSync(path.join(parent, "blockhaul-bench-"));
    this.onEnd(() => rmSync(this.folder, { recursive: true, force: true }));
    for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
      // Once more changes nothing: what is being taken down is taken down to the end.
      process.on(signal, () => {
        this.#abort.abort(new Stop("", 128 + constants.signals[signal]));
      });
    }
  }

  /** Aborted by Ctrl-C: whatever runs ends, and what was set up is taken down. */
  get signal() {
    return this.#abort.signal;
  }

  /** @param {() => Promise<unknown> | void} cleanup */
  onEnd(cleanup) {
    this.#cleanups.push(cleanup);
  }

  /**
   * @param {string} prefix
   * @returns {string} a name that nothing else here has
   */
  newName(prefix) {
    this.#names++;
    return `${prefix}-${this.#names}`;
  }

  /**
   * @param {string} prefix
   * @returns {string} a new folder
   */
  newFolder(prefix) {
    const folder = path.join(this.folder, this.newName(prefix));
    mkdirSync(folder);
    return folder;
  }

  /**
   * @param {Store} store
   * @returns {Promise<string>} the ceph.conf of a cluster that is started at the first call
   */
  async cluster(store) {
    const known = this.#clusters.get(store);
    if (known !== undefined) return known.conf;
    say(`Starting a throw-away Ceph (${store})`);
    const cluster = await startCeph({
      dir: path.join(this.folder, `ceph-${store}`),
      store,
      settings: { "memstore device bytes": String(16 * 2 ** 30) },
    });
    this.onEnd(cluster.stop);
    this.#clusters.set(store, cluster);
    this.signal.throwIfAborted();
    return cluster.conf;
  }

  /**
   * @param {Store} store
   * @returns {number[]} the process ids of the cluster's daemons; none where it was not started
   */
  daemons(store) {
    return this.#clusters.get(store)?.daemons() ?? [];
  }

  /** Takes everything down again, whether or not the benchmark came to its end. */
  async close() {
    for (const cleanup of this.#cleanups.reverse()) {
      try {
        await cleanup();
      } catch (error) {
        // The others are undone all the same.
        say(`not taken down: ${error instanceof Error ? error.message : error}`);
        process.exitCode = 1;
      }
    }
  }
}
