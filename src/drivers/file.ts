import { unlink } from "node:fs/promises";
import path from "node:path";

import type { CreateOptions, DriverOpenOptions, OpenedVolume, VolumeDriver } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { type NativeVolume, native } from "../native.js";
import { lookUpFile } from "../usage/look-up.js";
import { stampOfFile } from "../usage/write-stamp.js";
import { renameFile, resizeFile } from "./file-change.js";
import { checkFileChange, checkFileCreation } from "./file-check.js";
import {
  type FilePlace,
  fileBeside,
  fileInPlace,
  filePlaces,
  identifyFolder,
  listFiles,
  statsOfDirectory,
} from "./file-place.js";
import { deleteFile } from "./file-removal.js";
import { reflinkWay } from "./file-short-way.js";
import { formatPathRef, type PathLocation, parsePathRef } from "./path.js";
import { onTheWay, type PathWay } from "./path-way.js";

/** Image files: raw, sparse where the file system allows it and nobody wants them thick. */
export const fileDriver: VolumeDriver<PathLocation, OpenedVolume, FilePlace> = {
  name: "file",
  schemes: ["file"],
  summary: "raw image files; a path without a scheme names one, too",
  refForms: ["PATH", "file:PATH"],
  supports: {
    write: true,
    like: true,
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
  checkChange: checkFileChange,
  checkCreate: checkFileCreation,
  nameOf: fileInPlace,
  siblingOf: fileBeside,
  identifyPlace: identifyFolder,
  places: filePlaces,
  listVolumes: listFiles,
  stats: statsOfDirectory,
  shortWay: reflinkWay,
};

async function openVolume(
  location: PathLocation,
  options: DriverOpenOptions,
): Promise<OpenedVolume> {
  // Where the process stands may be another folder when the file is looked up again.
  const file = path.resolve(location.path);
  const { volume, isNew } = await openOrCreate(location, options);
  const like = isNew ? (options.like as PathLocation | undefined) : undefined;
  const notKept = like === undefined ? [] : await becomeLike(like, location, volume);
  const { node } = volume.info;
  return {
    volume,
    notKept,
    identify: () => lookUpFile(file),
    writeStamp: async () => (node === undefined ? undefined : stampOfFile(node, file)),
  };
}

async function openOrCreate(
  location: PathLocation,
  { create, mode }: DriverOpenOptions,
): Promise<{ volume: NativeVolume; isNew: boolean }> {
  if (create === undefined) return { volume: await open(location, mode), isNew: false };
  if (create.exclusive) return { volume: await createFile(location, create), isNew: true };
  try {
    return { volume: await open(location, mode, create), isNew: false };
  } catch (error) {
    if (!isCode(error, "ERR_NOT_FOUND")) throw error;
  }
  try {
    return { volume: await createFile(location, create), isNew: true };
  } catch (error) {
    if (!isCode(error, "ERR_EXISTS")) throw error;
    // Somebody else made it in the meantime: it is not ours, and not known to be zero.
    return { volume: await open(location, mode, create), isNew: false };
  }
}

/** Gives a new file what the other has beside its bytes; where that fails, it is taken away again. */
async function becomeLike(
  like: PathLocation,
  made: PathLocation,
  volume: NativeVolume,
): Promise<string[]> {
  try {
    return await onTheWay(like, ({ at: from }) =>
      onTheWay(made, ({ at: to }) => native().keepFileAttributes(from, to)),
    );
  } catch (error) {
    await volume.close().catch(() => {});
    await onTheWay(made, ({ at }) => unlink(at)).catch(() => {});
    throw error;
  }
}

/** @param create of one that is asked to be thick: zeros give none of its space back */
function open(
  location: PathLocation,
  mode: "read" | "write",
  create?: CreateOptions,
): Promise<NativeVolume> {
  return onTheWay(location, async ({ place, refusePlanted }) => {
    if (mode === "write") await refusePlanted();
    return native().openPosix({ ...place, mode, kind: "file", thick: isThick(create) });
  });
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
    const make = ({ place }: PathWay) =>
      native().openPosix({
        ...place,
        mode: "write",
        kind: "file",
        createSize: create.size,
        thick: isThick(create),
      });
    return await onTheWay(location, make, true);
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
