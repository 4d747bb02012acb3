import { createRequire } from "node:module";
import path from "node:path";

/** The folder of this package. Modules are bundled, so none can tell it from its own place. */
export function packageRoot(): string {
  return path.dirname(createRequire(import.meta.url).resolve("blockhaul/package.json"));
}
