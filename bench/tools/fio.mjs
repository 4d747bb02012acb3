// What the storage can do at all, without a copy: how fast the source can be read, and the target written.

/** @typedef {import("./tool.mjs").Tool} Tool */
/** @typedef {import("./tool.mjs").Place} Place */

/** @type {Tool} */
export const fioRead = {
  name: "fio read",
  settings:
    "`fio --rw=read --bs=1M --iodepth=32 --direct=1`, io_uring (of images, its rbd engine), over the source, once",
  makesTarget: () => false,
  copies: false,
  steps: ({ source }) => [fio(source, "read", [])],
};

/** @type {Tool} */
export const fioWrite = {
  name: "fio write",
  settings:
    "`fio --rw=write --bs=1M --iodepth=32 --direct=1 --end_fsync=1 --fallocate=none`, over a target as the others find it",
  makesTarget: (kind) => kind === "file",
  copies: false,
  steps: ({ target }) => [fio(target, "write", ["--end_fsync=1", "--fallocate=none"])],
};

/**
 * @param {Place} place
 * @param {"read" | "write"} way
 * @param {readonly string[]} flags
 */
function fio(place, way, flags) {
  return {
    command: [
      ...(place.kind === "rbd" ? ["env", `CEPH_CONF=${place.conf}`] : []),
      "fio",
      "--name=limit",
      `--rw=${way}`,
      "--bs=1M",
      "--iodepth=32",
      "--direct=1",
      "--thread",
      `--size=${place.size}`,
      ...reach(place),
      ...flags,
      "--output-format=json",
    ],
    // Of the transfer alone: fio itself takes half a second to start and end.
    seconds: (/** @type {string} */ output) => secondsOf(output, way),
  };
}

/** @param {Place} place */
function reach(place) {
  if (place.kind !== "rbd") return ["--ioengine=io_uring", `--filename=${place.path}`];
  const [pool, image] = place.path.split("/");
  return ["--ioengine=rbd", "--clientname=admin", `--pool=${pool}`, `--rbdname=${image}`];
}

/**
 * @param {string} output warnings, then JSON
 * @param {"read" | "write"} way
 */
export function secondsOf(output, way) {
  const [job] = JSON.parse(output.slice(output.indexOf("\n{") + 1)).jobs;
  return job[way].runtime / 1000;
}
