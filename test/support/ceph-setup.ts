import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type {} from "vitest";
import type { TestProject } from "vitest/node";

import { startCeph } from "./ceph.mjs";

declare module "vitest" {
  interface ProvidedContext {
    /** Path of the ceph.conf of a running cluster with a pool "rbd"; one for the whole run. */
    cephConf: string;
  }
}

/**
 * Starts one Ceph for all end-to-end tests. `BLOCKHAUL_TEST_CEPH_CONF` names one that runs already
 * (`node test/support/ceph.mjs up DIR`), to save its start while working on a test.
 */
export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const running = process.env.BLOCKHAUL_TEST_CEPH_CONF;
  if (running) {
    project.provide("cephConf", running);
    return undefined;
  }
  const cluster = await startCeph({ dir: mkdtempSync(path.join(tmpdir(), "blockhaul-ceph-")) });
  project.provide("cephConf", cluster.conf);
  return () => cluster.stop();
}
