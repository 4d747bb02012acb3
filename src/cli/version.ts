import { readFileSync } from "node:fs";
import path from "node:path";

import { packageRoot } from "../package-root.js";

/** The package's version. */
export function packageVersion(): string {
  const file = path.join(packageRoot(), "package.json");
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return version;
}
