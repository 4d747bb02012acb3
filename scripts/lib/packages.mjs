/**
 * What blockhaul needs from Debian, and why. The one table: `setup`, `demo`, `test` and CI install from it.
 *
 * @typedef {"build" | "demo" | "ceph" | "test" | "lint"} PackageGroup
 */

/** @type {Readonly<Record<PackageGroup, readonly (readonly [name: string, reason: string])[]>>} */
export const packageGroups = {
  build: [
    ["g++", "compiles the engine (C++20)"],
    ["make", "drives the release build"],
    ["cmake", "drives the development build"],
    ["ninja-build", "runs that build quickly"],
    ["python3", "runs node-gyp, and the checker of test results"],
    ["liburing-dev", "io_uring, linked statically"],
    ["libssl-dev", "SHA-256, linked statically"],
    ["libxxhash-dev", "XXH3 digests, header only"],
    ["librbd-dev", "Ceph RBD headers; the library itself is loaded only when used"],
  ],
  demo: [
    ["e2fsprogs", "mke2fs and e2fsck: the demo's file system"],
    ["mount", "losetup: the demo's block device"],
    ["diffutils", "cmp: compares volumes independently"],
  ],
  ceph: [
    ["ceph-mon", "a throw-away Ceph cluster"],
    ["ceph-mgr", "a throw-away Ceph cluster"],
    ["ceph-osd", "a throw-away Ceph cluster"],
    ["ceph-common", "the ceph and rbd commands"],
    ["util-linux", "setpriv: no daemon outlives the run that started it"],
  ],
  test: [
    ["libgtest-dev", "the native tests"],
    ["python3-rbd", "reads and writes RBD images independently of the engine"],
    ["qemu-utils", "qemu-img: reads and writes images independently of the engine"],
    ["qemu-block-extra", "the same for RBD images"],
    ["python3-xxhash", "computes digests independently of the engine"],
    ["bsdutils", "script: runs the command on a terminal"],
  ],
  lint: [
    ["clang-format", "the C++ style"],
    ["clang-tidy", "C++ checks"],
  ],
};
