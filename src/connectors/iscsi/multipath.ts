/** multipathd, where it runs: it claims paths, and the map over them is what must be opened. */
import { readFile } from "node:fs/promises";
import path from "node:path";

import { findProgram, type Program, runProgram } from "../../system/program.js";
import { listFolder, readAttribute, SYSFS_SECTOR } from "../../system/sysfs.js";
import { waitFor } from "../../system/wait.js";
import { holdersOf } from "./holders.js";
import { udevSettled } from "./udev.js";

const MULTIPATH: Program = { name: "multipath", package: "multipath-tools" };
const MULTIPATHD: Program = { name: "multipathd", package: "multipath-tools" };
const ANSWER_DEADLINE_MS = 10_000;
const CLAIM_DEADLINE_MS = 15_000;
/** A map that queues because all its paths are gone would keep a flush waiting for ever. */
const FLUSH_DEADLINE_MS = 20_000;
const GONE_DEADLINE_MS = 10_000;
const MAP_UUID = /^mpath-/;
const SOCKETS = "/proc/net/unix";
/** Where it listens: an abstract socket, and from version 0.10 on one in /run, too. */
const SOCKET = /multipath/;

/** A multipath map. */
export interface MultipathMap {
  /** "dm-2" */
  readonly device: string;
  /** "mpatha" */
  readonly name: string;
  /** "mpath-36001405…" */
  readonly uuid: string;
}

export async function isMultipathdRunning(): Promise<boolean> {
  if (findProgram(MULTIPATHD.name) === undefined) return false;
  // It is asked only where there is somebody to answer: asking takes longer than all else of an attach.
  const sockets = await readFile(SOCKETS, "utf8").catch(() => undefined);
  if (sockets !== undefined && !SOCKET.test(sockets)) return false;
  const { status, stdout } = await runProgram(MULTIPATHD, ["show", "daemon"], {
    deadlineMs: ANSWER_DEADLINE_MS,
  });
  return status === 0 && /^pid \d+/.test(stdout);
}

/** Whether multipathd would have a device for itself: no answer of its own exit status but 0 says so. */
async function isWanted(name: string): Promise<boolean> {
  const { status } = await runProgram(MULTIPATH, ["-c", path.join("/dev", name)], {
    deadlineMs: ANSWER_DEADLINE_MS,
  });
  return status === 0;
}

/** The map that lies on a path; undefined where none does. */
export async function mapOver(name: string): Promise<MultipathMap | undefined> {
  for (const holder of await holdersOf(name)) {
    const map = await readMap(holder);
    if (map !== undefined) return map;
  }
  return undefined;
}

export async function findMap(uuid: string): Promise<MultipathMap | undefined> {
  for (const device of await listFolder("/sys/class/block")) {
    if (!device.startsWith("dm-")) continue;
    const map = await readMap(device);
    if (map?.uuid === uuid) return map;
  }
  return undefined;
}

/** Bytes, as the map has them: not what its paths have where the LUN has grown since. */
export async function sizeOf({ device }: MultipathMap): Promise<number> {
  return Number(await readAttribute(path.join("/sys/class/block", device, "size"))) * SYSFS_SECTOR;
}

/** The paths of a map: "sda", "sdb". */
export function pathsOf({ device }: MultipathMap): Promise<string[]> {
  return listFolder(path.join("/sys/class/block", device, "slaves"));
}

/**
 * The map over a LUN's paths, once multipathd has put all of them into it, or as it is after the time
 * that multipathd has for that.
 *
 * @returns undefined where multipathd makes none of them
 */
export async function claimedMap(names: readonly string[]): Promise<MultipathMap | undefined> {
  const [first] = names;
  if (first === undefined) return undefined;
  // It asks udev's database: a path that udev has not finished with yet is unwanted, and taken a moment later.
  if ((await mapOver(first)) === undefined) await udevSettled();
  if ((await mapOver(first)) === undefined && !(await isWanted(first))) return undefined;
  for (const name of names) {
    if ((await mapOver(name)) !== undefined) continue;
    // It may have learned of it already: no answer of it matters, the map does.
    await runProgram(MULTIPATHD, ["add", "path", name], { deadlineMs: ANSWER_DEADLINE_MS });
  }
  const complete = async () => {
    const map = await mapOver(first);
    if (map === undefined) return undefined;
    const paths = await pathsOf(map);
    return names.every((name) => paths.includes(name)) ? map : undefined;
  };
  const map = await waitFor(complete, { deadlineMs: CLAIM_DEADLINE_MS });
  if (map !== undefined) return map;
  // Opening a path beside a map of others would be a second way to the same bytes.
  const maps = await Promise.all(names.map(mapOver));
  return maps.find((found) => found !== undefined);
}

/**
 * Takes a map away.
 *
 * @returns whether it went; it does not while somebody uses it
 */
export async function flushMap(map: MultipathMap): Promise<boolean> {
  const gone = async () => ((await findMap(map.uuid)) === undefined ? true : undefined);
  const flush = () =>
    runProgram(MULTIPATH, ["-f", map.name], { deadlineMs: FLUSH_DEADLINE_MS }).catch(() => {});
  await flush();
  if (await waitFor(gone, { deadlineMs: 1000 })) return true;
  // Requests that wait for a path to come back would wait for ever: they fail from here on.
  await runProgram(MULTIPATHD, ["disablequeueing", "map", map.name], {
    deadlineMs: ANSWER_DEADLINE_MS,
  }).catch(() => {});
  await flush();
  return (await waitFor(gone, { deadlineMs: GONE_DEADLINE_MS })) ?? false;
}

/**
 * Waits until multipathd has noticed that a path is gone: a LUN that comes back under the same name
 * while it has not would be taken for the old one (Launchpad 1924652).
 */
export async function waitUntilForgotten(name: string): Promise<void> {
  if (!(await isMultipathdRunning())) return;
  const forgotten = async () => {
    const { stdout } = await runProgram(MULTIPATHD, ["show", "paths", "raw", "format", "%d"], {
      deadlineMs: ANSWER_DEADLINE_MS,
    });
    return stdout.split("\n").some((line) => line.trim() === name) ? undefined : true;
  };
  if (await waitFor(forgotten, { deadlineMs: GONE_DEADLINE_MS })) return;
  await runProgram(MULTIPATHD, ["remove", "path", name], { deadlineMs: ANSWER_DEADLINE_MS });
}

async function readMap(device: string): Promise<MultipathMap | undefined> {
  const folder = path.join("/sys/class/block", device, "dm");
  const [name, uuid] = await Promise.all([
    readAttribute(path.join(folder, "name")),
    readAttribute(path.join(folder, "uuid")),
  ]);
  return name && uuid && MAP_UUID.test(uuid) ? { device, name, uuid } : undefined;
}
