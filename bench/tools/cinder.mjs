import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("cinder.py", import.meta.url));

/** @type {import("./tool.mjs").Tool} */
export const cinder = {
  name: "cinder",
  settings:
    "Cinder's host-assisted copy: one read of 4 MiB, one write, one after the other, through python3-rbd (tools/cinder.py)",
  makesTarget: (kind) => kind === "file",
  steps: ({ source, target }) => [
    { command: ["/usr/bin/python3", script, JSON.stringify({ source, target })] },
  ],
};
