/** What changes when somebody writes to a file or a device, as far as that shows without reading it. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { native } from "../native.js";
import { backingFileOf } from "./backing-file.js";
import { type HostNode, keyOf } from "./node.js";

/** Writes within one tick of the kernel's clock leave one time; more than the longest tick, in milliseconds. */
const TICK_MS = 20;
const LOOKS = 10;
/**
 * Of a device's `stat`, counted from 0: sectors written, discards, sectors discarded. The number of writes is no sign:
 * some devices count a flush there, and this look makes one.
 */
const WRITES = [6, 11, 13];
/** Of the same: requests read. */
const READS = 0;
/** A read that every device can do, in bytes: a page. */
const ONE_READ = 4096;

/**
 * Of a file: its size and times. The change of its metadata counts, since a writer can set the time of its last write.
 *
 * @returns undefined where the path leads elsewhere
 */
export async function stampOfFile(node: HostNode, file: string): Promise<string | undefined> {
  for (let look = 0; look < LOOKS; look += 1) {
    const found = await native().lookAtPath(file);
    if (!found?.isFile || keyOf(found) !== keyOf(node)) return undefined;
    const { size, modified, changed } = found;
    const age = Date.now() - Number(BigInt(changed) / 1_000_000n);
    // Else what is written next could have the same time.
    if (age > TICK_MS || age < 0) return `${size} ${modified} ${changed}`;
    await sleep(TICK_MS);
  }
  return `written to all the time, at ${Date.now()}`;
}

/**
 * Of a device: how much was ever written to it. Only what goes through this host is counted, and only where the device
 * counts. Of a loop device, the stamp of the file that it lies on counts, too: that may be written to past the device.
 */
export async function stampOfDevice(
  { major, minor }: HostNode,
  sysfs = "/sys",
  read = readOnce,
): Promise<string | undefined> {
  const folder = path.join(sysfs, "dev/block", `${major}:${minor}`);
  const counts =
    (await attribute(`${folder}/queue/iostats`)) ??
    // A partition's folder stands in its disk's.
    (await attribute(`${folder}/../queue/iostats`));
  const name = /^DEVNAME=(.+)$/m.exec((await attribute(`${folder}/uevent`)) ?? "")?.[1];
  if (name === undefined || !(await writeBack(`/dev/${name}`))) return undefined;
  // The device-mapper of some kernels counts without saying so: a read of ours shows it.
  if (counts !== "1" && !(await isCounted(folder, () => read(`/dev/${name}`)))) return undefined;
  const fields = await countsOf(folder);
  // A device that was detached, and attached anew, has begun to count anew.
  const sequence = await attribute(`${folder}/diskseq`);
  const backing = await backingFileOf({ major, minor }, sysfs);
  const below = backing && (await stampOfFile(backing.node, backing.path));
  return (
    fields &&
    [sequence ?? "", ...WRITES.map((index) => fields[index]), ...(below ? [below] : [])].join(" ")
  );
}

async function countsOf(folder: string): Promise<string[] | undefined> {
  return (await attribute(`${folder}/stat`))?.split(/\s+/);
}

/** Whether a read raises the number of reads. One of somebody else shows as much. */
async function isCounted(folder: string, read: () => Promise<void>): Promise<boolean> {
  const readsOf = async () => Number((await countsOf(folder))?.[READS]);
  const before = await readsOf();
  await read();
  return (await readsOf()) > before;
}

/** From the medium, past the page cache. What cannot be read is not counted either. */
async function readOnce(device: string): Promise<void> {
  const volume = await native()
    .openPosix({ path: device, mode: "read", kind: "block" })
    .catch(() => undefined);
  await volume?.read(new Uint8Array(ONE_READ), 0).catch(() => {});
  await volume?.close();
}

/** What the page cache still holds is counted when it is written. */
async function writeBack(device: string): Promise<boolean> {
  try {
    await native().syncPath(device);
    return true;
  } catch {
    return false;
  }
}

async function attribute(file: string): Promise<string | undefined> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  return text?.trim();
}
