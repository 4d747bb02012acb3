/** What changes when somebody writes to a volume, as far as that shows without reading it. */
import { open, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { type HostNode, isDevice, keyOf, nodeAt } from "../usage/node.js";
import type { Volume } from "../volume.js";
import { pathOf } from "./identity.js";
import { type Migration, openSource } from "./migration.js";
import type { NamedVolume } from "./target-name.js";

/** Writes within one tick of the kernel's clock leave one time; more than the longest tick, in milliseconds. */
const TICK_MS = 20;
const LOOKS = 10;
/** Of a device's `stat`, counted from 0: writes, sectors written, discards, sectors discarded. */
const WRITES = [4, 6, 11, 13];

/**
 * A text that is another after a write: of a file its size and times, of a device of this host how much was ever
 * written to it. It may be another without a write, too; whoever has to know reads the volume.
 *
 * @returns undefined of a volume that shows nothing
 */
export async function stampOf(
  { info }: Volume,
  { location }: Pick<NamedVolume, "location">,
  sysfs = "/sys",
): Promise<string | undefined> {
  const { node } = info;
  if (node === undefined) return undefined;
  return isDevice(node) ? stampOfDevice(node, sysfs) : stampOfFile(node, location);
}

/** The stamp of the source, which is opened for it; undefined of one that shows nothing. */
export async function stampSource(migration: Migration): Promise<string | undefined> {
  const volume = await openSource(migration);
  try {
    return await stampOf(volume, await migration.source());
  } finally {
    await volume.close();
  }
}

/** The change of a file's metadata counts, since a writer can set the time of its last write. */
async function stampOfFile(node: HostNode, location: unknown): Promise<string | undefined> {
  const file = pathOf(location);
  const found = file === undefined ? undefined : await nodeAt(file);
  if (file === undefined || found === undefined || keyOf(found) !== keyOf(node)) return undefined;
  for (let look = 0; look < LOOKS; look += 1) {
    const { size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    const age = Date.now() - Number(ctimeNs / 1_000_000n);
    // Else what is written next could have the same time.
    if (age > TICK_MS || age < 0) return `${size} ${mtimeNs} ${ctimeNs}`;
    await sleep(TICK_MS);
  }
  return `written to all the time, at ${Date.now()}`;
}

/** Only what goes through this host is counted, and only where the device counts. */
async function stampOfDevice(
  { major, minor }: HostNode,
  sysfs: string,
): Promise<string | undefined> {
  const folder = path.join(sysfs, "dev/block", `${major}:${minor}`);
  const counts =
    (await attribute(`${folder}/queue/iostats`)) ??
    // A partition's folder stands in its disk's.
    (await attribute(`${folder}/../queue/iostats`));
  const name = /^DEVNAME=(.+)$/m.exec((await attribute(`${folder}/uevent`)) ?? "")?.[1];
  if (counts !== "1" || name === undefined || !(await writeBack(`/dev/${name}`))) return undefined;
  const fields = (await attribute(`${folder}/stat`))?.split(/\s+/);
  // A device that was detached, and attached anew, has begun to count anew.
  const sequence = await attribute(`${folder}/diskseq`);
  return fields && [sequence ?? "", ...WRITES.map((index) => fields[index])].join(" ");
}

/** What the page cache still holds is counted when it is written. */
async function writeBack(device: string): Promise<boolean> {
  try {
    const handle = await open(device, "r");
    await handle.sync().finally(() => handle.close());
    return true;
  } catch {
    return false;
  }
}

async function attribute(file: string): Promise<string | undefined> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  return text?.trim();
}
