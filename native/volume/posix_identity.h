#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace blockhaul {

/// The bytes behind an inode, rather than the path that led there: where they begin on which
/// medium. A symlink and its end, hard links, a loop device and its backing file or device all lie
/// on one medium; so do a disk, its partitions, each path to it, and a multipath map of those. A
/// disk is named by what it says of itself (device-mapper UUID, WWID) where it says anything, and
/// by its number, which does not outlive a reboot, where it does not. A WWID that another iSCSI
/// target may give to another disk has the target's name with it.
struct PosixPlace {
  std::string medium{};
  std::uint64_t offset = 0;  ///< bytes from the medium's start

  /// One text for both.
  [[nodiscard]] std::string identity() const;
};

/// `descriptor` is open, as `status` says. `sysfs` is elsewhere in tests.
[[nodiscard]] PosixPlace posix_place(int descriptor, const struct stat& status,
                                     const std::string& sysfs = "/sys");

}  // namespace blockhaul
