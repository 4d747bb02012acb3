import { execFile } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const source = fileURLToPath(new URL("xstate-shim.c", import.meta.url));

/**
 * @param {string} folder
 * @returns {Promise<string>} the shared library that linux.uml is to be started with
 */
export async function compileShim(folder) {
  const library = path.join(folder, "xstate-shim.so");
  await promisify(execFile)("gcc", ["-O2", "-shared", "-fPIC", "-o", library, source]);
  return library;
}
