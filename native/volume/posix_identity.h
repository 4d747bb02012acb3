#pragma once

#include <sys/stat.h>

#include <string>

namespace blockhaul {

/// What names the bytes behind an inode rather than the path that led there: the same text for a
/// symlink and its end, for a hard link, and for a loop device and its backing file or device. For
/// a block device it is what the device says of itself (device-mapper UUID, WWID) where it says
/// anything, and its number, which does not outlive a reboot, where it does not.
[[nodiscard]] std::string posix_identity(int descriptor, const struct stat& status);

}  // namespace blockhaul
