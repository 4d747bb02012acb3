import { createHash } from "node:crypto";
import { homedir } from "node:os";
import path from "node:path";

import { BlockhaulError } from "../errors.js";
import { openFolder } from "./open-folder.js";
import { requireTrusted } from "./trusted.js";

/**
 * Where blockhaul keeps what has to outlive a process: BLOCKHAUL_STATE_DIR, else /var/lib/blockhaul as
 * root, else the user's own folder by the XDG rules.
 *
 * @returns an absolute path; it need not exist
 */
export function stateDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const { BLOCKHAUL_STATE_DIR, XDG_STATE_HOME } = environment;
  if (BLOCKHAUL_STATE_DIR) return path.resolve(BLOCKHAUL_STATE_DIR);
  if (process.getuid?.() === 0) return "/var/lib/blockhaul";
  // A relative XDG path counts as none: the XDG base directory specification.
  const isUsable = XDG_STATE_HOME !== undefined && path.isAbsolute(XDG_STATE_HOME);
  const base = isUsable ? XDG_STATE_HOME : path.join(homedir(), ".local", "state");
  return path.join(base, "blockhaul");
}

/** One place for the locks of all of root's processes, whatever state directory each was told to use. */
export function lockFolder(): string {
  return process.getuid?.() === 0 ? "/run/blockhaul" : path.join(stateDirectory(), "locks");
}

/**
 * Makes a folder of the state directory, or of locks, where it is missing, for its owner only; and looks whether it is ours
 * alone.
 *
 * @throws BlockhaulError ERR_PERMISSION where somebody else could have written what lies in it; by errno
 */
export async function makeStateFolder(folder: string): Promise<void> {
  // Nothing is made for whoever could lead us elsewhere.
  await checkStateFolder(folder);
  await (await openFolder(folder, { make: true })).close();
  await checkStateFolder(folder);
}

/**
 * What lies in a folder of the state directory names programs to run and volumes to remove: before anything of it
 * counts, nobody else may be able to write there, or to put another folder in its place.
 *
 * @returns false where there is no such folder
 * @throws BlockhaulError ERR_PERMISSION
 */
export async function checkStateFolder(folder: string): Promise<boolean> {
  try {
    return (await requireTrusted(folder, "entry")).status !== undefined;
  } catch (error) {
    if (!(error instanceof BlockhaulError) || error.code !== "ERR_PERMISSION") throw error;
    throw new BlockhaulError("ERR_PERMISSION", { message: `${folder} ${error.message}` });
  }
}

/** A number below 2^48 that stands for a text, as its place in a file of locks. */
export function lockPlace(text: string): number {
  return createHash("sha256").update(text).digest().readUIntBE(0, 6);
}
