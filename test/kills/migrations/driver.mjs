// Image files with all of a control path, by a driver around the real one: `SCHEME:PATH` and `SCHEME:PATH@SNAPSHOT`.
// Snapshots are copies that lie in a folder by the inode of their volume, so that they stay with it under any name.

import {
  copyFile,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
} from "node:fs/promises";
import path from "node:path";

import { BlockhaulError } from "blockhaul";

const BLOCK = 64 * 1024;

/**
 * What this driver can.
 *
 * @typedef {object} Abilities
 * @property {string} name
 * @property {string} hidden a folder for snapshots and drafts, on the same file system
 * @property {boolean} [create] true unless told
 * @property {boolean} [delete] true unless told
 * @property {boolean} [rename] true unless told
 * @property {boolean} [snapshots]
 * @property {boolean} [shortWay]
 *
 * @typedef {{ path: string, snapshot?: string | undefined }} Location
 * @typedef {ReturnType<typeof import("./moments.mjs").countMoments>} Moments
 */

/**
 * @param {import("blockhaul").VolumeDriver<Location>} fileDriver the real one
 * @param {Abilities} abilities
 * @param {Moments} moments
 * @returns {import("blockhaul").VolumeDriver<Location>}
 */
export function momentousDriver(fileDriver, abilities, { around, moment }) {
  const { name, hidden, create = true, rename: renames = true, snapshots, shortWay } = abilities;
  const fileOf = (/** @type {Location} */ location) => snapshotFile(hidden, location);
  /** @type {import("blockhaul").VolumeDriver<Location>} */
  const driver = {
    name,
    schemes: [name],
    summary: "image files at whose every call a process can be killed",
    refForms: [`${name}:PATH`],
    supports: {
      write: true,
      create: create ? "when-asked" : false,
      createOptions: [],
      extents: true,
      zero: true,
      snapshots: snapshots ?? false,
      delete: abilities.delete ?? true,
      rename: renames,
      shortWay: shortWay ?? false,
    },
    parseRef: (ref) => {
      const [file = "", snapshot] = ref.slice(name.length + 1).split("@");
      return snapshot === undefined ? { path: file } : { path: file, snapshot };
    },
    formatRef: ({ path: file, snapshot }) =>
      `${name}:${file}${snapshot === undefined ? "" : `@${snapshot}`}`,
    openVolume: async (location, options) => {
      const what = options.create ? "create" : `open to ${options.mode}`;
      const action = async (/** @type {Location} */ place) =>
        fileDriver.openVolume({ path: await fileOf(place) }, options);
      return around(what, action)(location);
    },
    closeVolume: around("close", async ({ volume }) => volume.close?.()),
    deleteVolume: around("delete", async (location, options) => {
      const left = await snapshotsOf(hidden, location);
      if (left.length > 0) {
        const message = `it has snapshots: ${left.map((one) => one.name).join(", ")}`;
        throw new BlockhaulError("ERR_IN_USE", { volume: location.path, message });
      }
      await fileDriver.deleteVolume?.(location, options);
    }),
    nameOf: ({ path: file }) => path.basename(file),
    siblingOf: ({ path: file }, other) => ({ path: path.join(path.dirname(file), other) }),
    places: fileDriver.places,
  };
  if (fileDriver.identifyPlace) driver.identifyPlace = fileDriver.identifyPlace;
  if (renames) {
    driver.renameVolume = around("rename", async (location, to) => {
      const renamed = await fileDriver.renameVolume?.(location, to);
      return /** @type {Location} */ (renamed);
    });
  }
  if (snapshots) Object.assign(driver, snapshotParts(hidden, around));
  if (shortWay) {
    driver.shortWay = async (source, target) => ({
      method: "by hand",
      run: around("short way", async () => {
        const bytes = await readFile(await fileOf(source));
        const file = await open(target.path, "wx");
        await file.write(bytes.subarray(0, bytes.length / 2));
        moment("in the short way");
        await file.write(bytes.subarray(bytes.length / 2));
        await file.sync();
        await file.close();
      }),
    });
  }
  return driver;
}

/**
 * @param {string} hidden
 * @param {Moments["around"]} around
 */
function snapshotParts(hidden, around) {
  return {
    createSnapshot: around(
      "take snapshot",
      async (/** @type {Location} */ location, /** @type {{ name?: string }} */ { name = "s" }) => {
        const there = await snapshotsOf(hidden, location);
        if (there.some((one) => one.name === name)) {
          throw new BlockhaulError("ERR_EXISTS", { volume: location.path });
        }
        const folder = await folderOf(hidden, location);
        await mkdir(folder, { recursive: true });
        const draft = path.join(hidden, `draft-${process.pid}`);
        await copyFile(location.path, draft);
        // Its place among the others, and its name.
        const last = Number(there.at(-1)?.file.split(" ")[0] ?? "99");
        await rename(draft, path.join(folder, `${last + 1} ${name}`));
        return { path: location.path, snapshot: name };
      },
    ),
    deleteSnapshot: around("drop snapshot", async (/** @type {Location} */ location) => {
      const file = await snapshotFile(hidden, location);
      if (location.snapshot === undefined) throw new BlockhaulError("ERR_INVALID_ARGUMENT");
      await rm(file);
      await rmdir(path.dirname(file)).catch(() => {});
    }),
    listSnapshots: async (/** @type {Location} */ location) => {
      const found = await snapshotsOf(hidden, location);
      return Promise.all(
        found.map(async ({ name, file }) => ({
          name,
          location: { path: location.path, snapshot: name },
          size: (await stat(path.join(await folderOf(hidden, location), file))).size,
        })),
      );
    },
    changedExtents: async (/** @type {Location} */ location, /** @type {string} */ snapshot) => {
      const after = await readFile(await snapshotFile(hidden, location));
      const before = await readFile(await snapshotFile(hidden, { path: location.path, snapshot }));
      const changed = [];
      for (let offset = 0; offset < after.length; offset += BLOCK) {
        const length = Math.min(BLOCK, after.length - offset);
        const isSame = after
          .subarray(offset, offset + length)
          .equals(before.subarray(offset, offset + length));
        if (!isSame) changed.push({ offset, length, kind: /** @type {const} */ ("data") });
      }
      return changed;
    },
  };
}

/**
 * @param {string} hidden
 * @param {Location} location
 */
async function folderOf(hidden, { path: file }) {
  return path.join(hidden, String((await stat(file)).ino));
}

/**
 * @param {string} hidden
 * @param {Location} location
 */
async function snapshotsOf(hidden, location) {
  const names = await readdir(await folderOf(hidden, location)).catch((error) => {
    if (error.path?.startsWith(hidden) && error.code === "ENOENT") return [];
    throw error;
  });
  return names.sort().map((file) => ({ file, name: file.slice(file.indexOf(" ") + 1) }));
}

/**
 * @param {string} hidden
 * @param {Location} location
 */
async function snapshotFile(hidden, location) {
  if (location.snapshot === undefined) return location.path;
  const found = await snapshotsOf(hidden, location);
  const one = found.find(({ name }) => name === location.snapshot);
  if (one === undefined) throw new BlockhaulError("ERR_NOT_FOUND", { volume: location.path });
  return path.join(await folderOf(hidden, location), one.file);
}
