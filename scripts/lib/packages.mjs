/**
 * What blockhaul needs from Debian, and why. The one table: `setup`, `demo`, `test` and CI install from it.
 *
 * @typedef {"build" | "demo" | "ceph" | "guest" | "test" | "bench" | "profile" | "lint"} PackageGroup
 */

/** @typedef {readonly (readonly [name: string, reason: string])[]} Packages */

/** @type {Packages} */
const guest = [
  ["user-mode-linux", "the guest's kernel: SCSI, iSCSI and device-mapper on any host"],
  ["gcc", "compiles the guest's shim"],
  ["libc6-dev", "compiles the guest's shim"],
  ["util-linux", "unshare, setpriv: no guest outlives the run that started it"],
  ["kmod", "loads the guest's modules"],
  ["udev", "names the guest's devices"],
  ["iproute2", "ip: the guest's network"],
  ["open-iscsi", "iscsid and iscsiadm: the iSCSI initiator"],
  ["tgt", "an iSCSI target that can be killed and stopped"],
  ["lvm2", "logical volumes"],
  ["thin-provisioning-tools", "thin pools of logical volumes"],
  ["multipath-tools", "multipathd: several paths to a volume"],
  ["sg3-utils", "asks SCSI devices independently of the engine"],
  ["e2fsprogs", "a file system with O_DIRECT on the guest's disks"],
  ["xfsprogs", "another one, for power cuts"],
  ["mdadm", "arrays that hold the guest's disks"],
  ["cryptsetup-bin", "an encrypted device that holds one"],
];

/** @type {Readonly<Record<PackageGroup, Packages>>} */
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
  // Debian builds User-Mode Linux for x86-64; elsewhere the tests say that they cannot run.
  guest: process.arch === "x64" ? guest : [],
  test: [
    ["ccache", "what one build of the tests has compiled, no other compiles again"],
    ["libgtest-dev", "the native tests"],
    ["python3-rbd", "reads and writes RBD images independently of the engine"],
    ["qemu-utils", "qemu-img: reads and writes images independently of the engine"],
    ["qemu-block-extra", "the same for RBD images"],
    ["python3-xxhash", "computes digests independently of the engine"],
    ["strace", "has system calls of a copy fail"],
    ["nbdkit", "a disk with errors on demand"],
    ["libnbd-bin", "nbdfuse: that disk as a file, for a loop device"],
    ["fuse3", "fusermount3: takes that file away"],
    ["xfsprogs", "xfs_io: shuts a file system down in mid-copy"],
    ["e2fsprogs", "mkfs.ext4: a file system that a copy must not overwrite"],
    ["xfsprogs", "mkfs.xfs: the same"],
    ["cryptsetup-bin", "the same for LUKS"],
    ["gdisk", "sgdisk: the same for a GPT"],
    ["parted", "the same for an MBR"],
    ["mount", "mount, losetup and swapon: what a copy must not write to"],
    ["bsdutils", "script: runs the command on a terminal"],
    ["zsh", "completes the command's words, as its users' shells do"],
    ["fish", "the same"],
  ],
  bench: [
    ["qemu-utils", "qemu-img and qemu-nbd: what others copy with"],
    ["qemu-block-extra", "the same for RBD images"],
    ["libnbd-bin", "nbdcopy: what others copy with"],
    ["fio", "what the storage can do at all"],
    ["python3-rbd", "Cinder's way of copying, and an independent look at images"],
    ["libbenchmark-dev", "the native benchmarks"],
    ["e2fsprogs", "mke2fs: an image with a file system in it"],
    ["mount", "losetup: block devices"],
    ["diffutils", "cmp: compares volumes independently"],
  ],
  profile: [
    ["linux-perf", "where processor time goes"],
    ["libdevel-nytprof-perl", "flamegraph.pl: draws it"],
  ],
  lint: [
    ["clang-format", "the C++ style"],
    ["clang-tidy", "C++ checks"],
  ],
};
