import path from "node:path";

import { nameOf } from "./qemu-img.mjs";

/** @typedef {import("./tool.mjs").Place} Place */

/** @type {import("./tool.mjs").Tool} */
export const nbdcopy = {
  name: "nbdcopy",
  settings:
    "`nbdcopy --flush`; files and devices are opened by itself, images are served by `qemu-nbd -f raw --cache=none " +
    "-e 16`, whose time and memory count; `--destination-is-zero` for a target that is new",
  makesTarget: () => false,
  steps: ({ source, target, fresh, folder }) => {
    const from = reach(source, path.join(folder, "source.sock"), ["--read-only"]);
    const to = reach(target, path.join(folder, "target.sock"), ["--discard=unmap"]);
    const zero = fresh ? ["--destination-is-zero"] : [];
    return [
      {
        command: ["nbdcopy", "--flush", ...zero, from.name, to.name],
        servers: [...from.servers, ...to.servers],
      },
    ];
  },
};

/**
 * @param {Place} place
 * @param {string} socket
 * @param {readonly string[]} flags
 */
function reach(place, socket, flags) {
  if (place.kind !== "rbd") return { name: place.path, servers: [] };
  const server = ["qemu-nbd", "-f", "raw", "--cache=none", "-e", "16", "-t", ...flags];
  return {
    name: `nbd+unix:///?socket=${socket}`,
    servers: [{ command: [...server, "-k", socket, nameOf(place)], socket }],
  };
}
