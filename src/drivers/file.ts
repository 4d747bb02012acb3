import path from "node:path";

import type { CreateOptions, DriverOpenOptions, OpenedVolume, VolumeDriver } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { type NativeVolume, native } from "../native.js";
import {
  deleteFile,
  type FilePlace,
  fileBeside,
  fileInPlace,
  filePlaces,
  renameFile,
} from "./file-place.js";
import { formatPathRef, type PathLocation, parsePathRef } from "./path.js";

/** Image files: raw, sparse where the file system allows it. */
export const fileDriver: VolumeDriver<PathLocation, OpenedVolume, FilePlace> = {
  name: "file",
  schemes: ["file"],
  summary: "raw image files; a path without a scheme names one, too",
  refForms: ["PATH", "file:PATH"],
  supports: {
    write: true,
    create: "when-missing",
    createOptions: [],
    extents: true,
    zero: true,
    snapshots: false,
    delete: true,
    rename: true,
  },
  parseRef: (ref) => parsePathRef("file", ref),
  formatRef: (location) => formatPathRef("file", location),
  openVolume,
  deleteVolume: deleteFile,
  renameVolume: renameFile,
  nameOf: fileInPlace,
  siblingOf: fileBeside,
  places: filePlaces,
};

async function openVolume(
  location: PathLocation,
  options: DriverOpenOptions,
): Promise<OpenedVolume> {
  const { create } = options;
  if (create === undefined) return { volume: await open(location, options.mode) };
  if (create.exclusive) return { volume: await createFile(location, create) };
  try {
    return { volume: await open(location, options.mode) };
  } catch (error) {
    if (!isCode(error, "ERR_NOT_FOUND")) throw error;
  }
  try {
    return { volume: await createFile(location, create) };
  } catch (error) {
    if (!isCode(error, "ERR_EXISTS")) throw error;
    // Somebody else made it in the meantime: it is not ours, and not known to be zero.
    return { volume: await open(location, options.mode) };
  }
}

function open({ path }: PathLocation, mode: "read" | "write"): Promise<NativeVolume> {
  return native().openPosix({ path, mode, kind: "file" });
}

async function createFile(location: PathLocation, { size }: CreateOptions): Promise<NativeVolume> {
  const absolute = path.resolve(location.path);
  if (absolute.startsWith("/dev/") && !absolute.startsWith("/dev/shm/")) {
    throw new BlockhaulError("ERR_NOT_FOUND", {
      volume: location.path,
      operation: "open",
      message: "No such device; an image file is not made in /dev, which lives in memory",
    });
  }
  try {
    return await native().openPosix({
      path: location.path,
      mode: "write",
      kind: "file",
      createSize: size,
    });
  } catch (error) {
    if (!(error instanceof BlockhaulError) || error.code !== "ERR_NOT_FOUND") throw error;
    throw error.withContext({
      hint: `make its directory first: mkdir -p ${path.dirname(absolute)}`,
    });
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof BlockhaulError && error.code === code;
}
