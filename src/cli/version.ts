import { createRequire } from "node:module";

/** The package's version. By its name, for modules are bundled: none can tell the package from its own place. */
export function packageVersion(): string {
  const require = createRequire(import.meta.url);
  return (require("blockhaul/package.json") as { version: string }).version;
}
