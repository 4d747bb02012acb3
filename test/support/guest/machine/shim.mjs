import { execFile } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/**
 * @param {string} folder
 * @param {"xstate-shim" | "volatile-cache"} [name]
 * @returns {Promise<string>} the shared library that linux.uml is to be started with
 */
export async function compileShim(folder, name = "xstate-shim") {
  const library = path.join(folder, `${name}.so`);
  const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
  await promisify(execFile)("gcc", ["-O2", "-shared", "-fPIC", "-o", library, source]);
  return library;
}
