import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { startCeph } from "../../test/support/ceph.mjs";
import { atInterrupt, say } from "./run.mjs";

/**
 * Runs tests with a throw-away Ceph, which they find in BLOCKHAUL_TEST_CEPH_CONF. Where that names one already,
 * it is that one.
 *
 * @template T
 * @param {() => Promise<T>} body
 * @returns {Promise<T>}
 */
export async function withCeph(body) {
  if (process.env.BLOCKHAUL_TEST_CEPH_CONF) return body();
  say("Starting a throw-away Ceph");
  const cluster = await startCeph({ dir: mkdtempSync(path.join(tmpdir(), "blockhaul-ceph-")) });
  process.env.BLOCKHAUL_TEST_CEPH_CONF = cluster.conf;
  const takeBack = atInterrupt(() => cluster.stop());
  try {
    return await body();
  } finally {
    takeBack();
    await cluster.stop();
  }
}
