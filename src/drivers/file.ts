import path from "node:path";

import type { CreateOptions, DriverOpenOptions, OpenedVolume, VolumeDriver } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { type NativeVolume, native } from "../native.js";
import { checkFile, deleteFile, renameFile, resizeFile } from "./file-change.js";
import {
  type FilePlace,
  fileBeside,
  fileInPlace,
  filePlaces,
  listFiles,
  statsOfDirectory,
} from "./file-place.js";
import { reflinkWay } from "./file-short-way.js";
import { formatPathRef, type PathLocation, parsePathRef } from "./path.js";

/** Image files: raw, sparse where the file system allows it and nobody wants them thick. */
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
    provisioning: ["thin", "thick"],
    rename: true,
    resize: true,
    list: true,
    stats: true,
    shortWay: true,
  },
  parseRef: (ref) => parsePathRef("file", ref),
  formatRef: (location) => formatPathRef("file", location),
  openVolume,
  deleteVolume: deleteFile,
  renameVolume: renameFile,
  resizeVolume: resizeFile,
  checkChange: checkFile,
  nameOf: fileInPlace,
  siblingOf: fileBeside,
  places: filePlaces,
  listVolumes: listFiles,
  stats: statsOfDirectory,
  shortWay: reflinkWay,
};

async function openVolume(
  location: PathLocation,
  options: DriverOpenOptions,
): Promise<OpenedVolume> {
  const { create, mode } = options;
  if (create === undefined) return { volume: await open(location, mode) };
  if (create.exclusive) return { volume: await createFile(location, create) };
  try {
    return { volume: await open(location, mode, create) };
  } catch (error) {
    if (!isCode(error, "ERR_NOT_FOUND")) throw error;
  }
  try {
    return { volume: await createFile(location, create) };
  } catch (error) {
    if (!isCode(error, "ERR_EXISTS")) throw error;
    // Somebody else made it in the meantime: it is not ours, and not known to be zero.
    return { volume: await open(location, mode, create) };
  }
}

/** @param create of one that is asked to be thick: zeros give none of its space back */
function open(
  { path }: PathLocation,
  mode: "read" | "write",
  create?: CreateOptions,
): Promise<NativeVolume> {
  return native().openPosix({ path, mode, kind: "file", thick: isThick(create) });
}

function isThick(create: CreateOptions | undefined): boolean {
  return create?.provisioning === "thick";
}

async function createFile(location: PathLocation, create: CreateOptions): Promise<NativeVolume> {
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
      createSize: create.size,
      thick: isThick(create),
    });
  } catch (error) {
    if (!isCode(error, "ERR_NOT_FOUND")) throw error;
    throw error.withContext({
      hint: `make its directory first: mkdir -p ${path.dirname(absolute)}`,
    });
  }
}

function isCode(error: unknown, code: string): error is BlockhaulError {
  return error instanceof BlockhaulError && error.code === code;
}
