import path from "node:path";

import { root } from "../../scripts/lib/run.mjs";

/** The command that a user runs. */
export const command = [process.execPath, path.join(root, "dist", "cli", "main.js")];

/** @type {import("./tool.mjs").Tool} */
export const blockhaul = {
  name: "blockhaul",
  settings:
    "`blockhaul copy SOURCE TARGET` with its default settings: digest and journal on; `--create` for a new image; " +
    "`--verify` where the work says so",
  // Of a file or an image; a device is there.
  makesTarget: (kind) => kind !== "block",
  steps: ({ source, target, verify, fresh, folder }) => [
    {
      command: [
        ...command,
        "copy",
        ...(fresh && target.kind === "rbd" ? ["--create"] : []),
        ...(verify ? ["--verify"] : []),
        "--quiet",
        "--state-dir",
        path.join(folder, "state"),
        refOf(source),
        refOf(target),
      ],
    },
  ],
};

/** @param {import("./tool.mjs").Place} place */
function refOf({ kind, path: name, conf }) {
  return kind === "rbd" ? `rbd:${name}:conf=${conf}` : name;
}
