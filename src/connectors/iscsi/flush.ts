import path from "node:path";

import { type Program, runProgram } from "../../system/program.js";

const BLOCKDEV: Program = { name: "blockdev", package: "util-linux" };
const DEADLINE_MS = 60_000;

/**
 * Writes back what the page cache still has of a device. Whoever used the volume has flushed it and
 * was told of every failure; this is for what a killed process left, and its failure does not keep a
 * dead device attached.
 */
export async function flushBuffers(name: string): Promise<void> {
  const args = ["--flushbufs", path.join("/dev", name)];
  await runProgram(BLOCKDEV, args, { deadlineMs: DEADLINE_MS }).catch(() => {});
}
