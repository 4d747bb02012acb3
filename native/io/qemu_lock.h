#pragma once

#include "io/region_lock.h"

namespace blockhaul {

/// Takes part in the locks that QEMU's programs hold on images: a running machine, qemu-img,
/// qemu-nbd, qemu-storage-daemon. They are kept on bytes of the image itself (block/file-posix.c):
/// byte 100 + n says "I do n", byte 200 + n "nobody else may do n", where n is 0 to read what is
/// consistent, 1 to write, 3 to resize. All are taken shared. What excludes is the look: who does n
/// looks whether anybody has byte 200 + n, and who forbids n whether anybody has byte 100 + n.
///
/// One that shares, reads and forbids to write or resize; one that is alone, writes and forbids
/// all. The bytes go with the descriptor.
///
/// @returns 0; EAGAIN where a program that locks as QEMU does excludes us, and then no byte is
///   left taken; another errno where the file system has no locks
int take_qemu_lock(int descriptor, LockMode mode) noexcept;

}  // namespace blockhaul
