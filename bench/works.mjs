// What is copied, between which kinds of storage, and by which tools.

/**
 * @typedef {import("./content.mjs").ContentName} ContentName
 * @typedef {import("./ends/end.mjs").EndKind} EndKind
 * @typedef {import("./lab.mjs").Store} Store
 *
 * @typedef {object} Work
 * @property {string} name
 * @property {string} title
 * @property {ContentName} content
 * @property {Store} store of the cluster where images take part: with memstore, the clients' own cost shows; of sparse
 *   images it would send the holes too, bluestore does not
 * @property {boolean} [verify] what was written is read back and compared, as a part of the work
 * @property {boolean} [overwrite] the target holds other bytes
 * @property {readonly Pair[]} pairs
 *
 * @typedef {object} Pair
 * @property {EndKind} from
 * @property {EndKind} to
 * @property {readonly string[]} tools ours first
 * @property {readonly string[]} [quick] those that take part in a quick run; nobody, unless told
 */

const fio = ["fio read", "fio write"];

/** @type {readonly Work[]} */
export const works = [
  {
    name: "dense",
    title: "dense, 2 GiB",
    content: "dense",
    store: "memstore",
    pairs: [
      {
        from: "file",
        to: "file",
        tools: ["blockhaul", "qemu-img", "nbdcopy", "dd", ...fio],
        quick: ["blockhaul", "qemu-img", "nbdcopy", "dd", ...fio],
      },
      {
        from: "file",
        to: "rbd",
        tools: ["blockhaul", "qemu-img", "rbd import", "nbdcopy", "cinder", ...fio],
        quick: ["blockhaul", "qemu-img", "rbd import", "cinder"],
      },
      {
        from: "rbd",
        to: "file",
        tools: ["blockhaul", "qemu-img", "rbd export", "nbdcopy", "cinder", ...fio],
        quick: ["blockhaul", "qemu-img", "rbd export", "cinder"],
      },
      {
        from: "rbd",
        to: "rbd",
        tools: ["blockhaul", "qemu-img", "rbd deep cp", "nbdcopy", ...fio],
      },
      {
        from: "block",
        to: "block",
        tools: ["blockhaul", "qemu-img", "nbdcopy", "dd", ...fio],
        quick: ["blockhaul", "qemu-img"],
      },
      {
        from: "block",
        to: "rbd",
        tools: ["blockhaul", "qemu-img", "rbd import", "nbdcopy", "cinder", ...fio],
      },
    ],
  },
  {
    name: "ext4",
    title: "ext4 image with real files, 1 GiB",
    content: "ext4",
    store: "bluestore",
    pairs: [
      { from: "file", to: "file", tools: ["blockhaul", "qemu-img", "nbdcopy", "dd"] },
      { from: "file", to: "rbd", tools: ["blockhaul", "qemu-img", "rbd import", "nbdcopy"] },
      { from: "rbd", to: "file", tools: ["blockhaul", "qemu-img", "rbd export", "nbdcopy"] },
      { from: "rbd", to: "rbd", tools: ["blockhaul", "qemu-img", "rbd deep cp"] },
      { from: "block", to: "block", tools: ["blockhaul", "qemu-img", "nbdcopy", "dd"] },
      { from: "block", to: "rbd", tools: ["blockhaul", "qemu-img", "rbd import"] },
    ],
  },
  {
    name: "thin",
    title: "thin, 64 GiB with 2048 × 64 KiB",
    content: "thin",
    store: "bluestore",
    pairs: [
      { from: "file", to: "file", tools: ["blockhaul", "qemu-img", "nbdcopy"] },
      {
        from: "file",
        to: "rbd",
        tools: ["blockhaul", "qemu-img", "qemu-img, told zero", "rbd import", "nbdcopy"],
        quick: ["blockhaul", "qemu-img"],
      },
      {
        from: "rbd",
        to: "file",
        tools: ["blockhaul", "qemu-img", "qemu-img, told zero", "rbd export", "nbdcopy"],
        quick: ["blockhaul", "qemu-img"],
      },
      {
        from: "rbd",
        to: "rbd",
        tools: ["blockhaul", "qemu-img, told zero", "rbd deep cp"],
      },
    ],
  },
  {
    name: "empty",
    title: "empty, 8 TiB",
    content: "empty",
    store: "bluestore",
    // Peers take minutes or hours for some of these; the target is a time.
    pairs: [
      { from: "file", to: "file", tools: ["blockhaul", "qemu-img"], quick: ["blockhaul"] },
      { from: "file", to: "rbd", tools: ["blockhaul"], quick: ["blockhaul"] },
      { from: "rbd", to: "file", tools: ["blockhaul"], quick: ["blockhaul"] },
    ],
  },
  {
    name: "again",
    title: "ext4 image onto a target that holds other bytes",
    content: "ext4",
    store: "bluestore",
    overwrite: true,
    pairs: [
      { from: "file", to: "file", tools: ["blockhaul", "qemu-img", "nbdcopy", "dd"] },
      { from: "file", to: "rbd", tools: ["blockhaul", "qemu-img", "nbdcopy"] },
      { from: "block", to: "block", tools: ["blockhaul", "qemu-img", "nbdcopy", "dd"] },
    ],
  },
  {
    name: "verify",
    title: "dense, 2 GiB, copied and verified",
    content: "dense",
    store: "memstore",
    verify: true,
    pairs: [
      {
        from: "file",
        to: "file",
        tools: ["blockhaul", "qemu-img"],
        quick: ["blockhaul", "qemu-img"],
      },
      { from: "file", to: "rbd", tools: ["blockhaul", "qemu-img"] },
      { from: "rbd", to: "file", tools: ["blockhaul", "qemu-img"] },
      { from: "rbd", to: "rbd", tools: ["blockhaul", "qemu-img"] },
      { from: "block", to: "block", tools: ["blockhaul", "qemu-img"] },
      { from: "block", to: "rbd", tools: ["blockhaul", "qemu-img"] },
    ],
  },
];
