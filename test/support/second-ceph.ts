import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { type CephCluster, startCeph } from "./ceph.mjs";

/** Another cluster beside the one of all tests, which ends with the test that started it. */
export class SecondCeph implements AsyncDisposable {
  readonly #cluster: CephCluster;

  private constructor(cluster: CephCluster) {
    this.#cluster = cluster;
  }

  /** In some 6 s; ports and folder are its own. */
  static async start(): Promise<SecondCeph> {
    return new SecondCeph(
      await startCeph({
        dir: mkdtempSync(path.join(tmpdir(), "blockhaul-ceph-")),
        store: "memstore",
      }),
    );
  }

  /** Path of its ceph.conf; it has a pool "rbd". */
  get conf(): string {
    return this.#cluster.conf;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster.stop();
  }
}
