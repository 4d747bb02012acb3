/** copying and verifying: the bytes. */
import type { CopyReport } from "../../copy/report.js";
import { moveBytes } from "../bytes.js";
import { carrySnapshots } from "../carry.js";
import type { Migration } from "../migration.js";
import { goShortWay } from "../short-way.js";
import { claimSource } from "./freezing.js";

/**
 * Moves the bytes, and proves them where that is wanted.
 *
 * @returns what the engine reports; undefined where an earlier run moved all, or several runs did, or none
 */
export async function enterCopying(migration: Migration): Promise<CopyReport | undefined> {
  const { record } = migration;
  await claimSource(migration);
  if (record.state !== "verifying") await migration.enter("copying");
  if (record.method === "copy" && record.snapshots.length === 0) {
    return moveBytes(migration, migration.frozenRef);
  }
  if (record.method === "copy") await carrySnapshots(migration);
  else return goShortWay(migration);
  return undefined;
}
