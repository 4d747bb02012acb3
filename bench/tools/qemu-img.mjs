/** @typedef {import("./tool.mjs").Tool} Tool */
/** @typedef {import("./tool.mjs").Place} Place */

/** Raw on both sides, no page cache, 16 requests at once that may be written in any order. */
const convert = ["qemu-img", "convert", "-n", "-f", "raw", "-O", "raw"];
const flags = ["-t", "none", "-T", "none", "-m", "16", "-W"];

/** @type {Tool} */
export const qemuImg = {
  name: "qemu-img",
  settings:
    "`qemu-img convert -n -f raw -O raw -t none -T none -m 16 -W`, to a target that is there; to verify, " +
    "`qemu-img compare -f raw -F raw -T none` after it",
  makesTarget: () => false,
  steps: ({ source, target, verify }) => [
    { command: [...convert, ...flags, nameOf(source), nameOf(target)] },
    ...(verify ? [compare(source, target)] : []),
  ],
};

/** @type {Tool} */
export const qemuImgZero = {
  name: "qemu-img, told zero",
  settings:
    "the same with `--target-is-zero`: the user vouches for the target, so no zeros are made. blockhaul finds that out itself",
  makesTarget: () => false,
  steps: ({ source, target }) => [
    { command: [...convert, "--target-is-zero", ...flags, nameOf(source), nameOf(target)] },
  ],
};

/**
 * @param {Place} source
 * @param {Place} target
 */
function compare(source, target) {
  const sides = ["-f", "raw", "-F", "raw", "-T", "none", nameOf(source), nameOf(target)];
  return { command: ["qemu-img", "compare", ...sides] };
}

/**
 * As QEMU's programs name it.
 *
 * @param {Place} place
 */
export function nameOf({ kind, path, conf }) {
  return kind === "rbd" ? `rbd:${path}:conf=${conf}` : path;
}
