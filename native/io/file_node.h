#pragma once

#include <sys/stat.h>
#include <sys/types.h>

namespace blockhaul {

/// A file or a block device of this host, rather than a path that leads there.
struct FileNode {
  dev_t device = 0;  ///< of a block device its own number; of a file, its file system's
  ino_t inode = 0;   ///< of a file
  bool is_block = false;

  [[nodiscard]] static FileNode of(const struct stat& status) {
    if (S_ISBLK(status.st_mode)) return {.device = status.st_rdev, .is_block = true};
    return {.device = status.st_dev, .inode = status.st_ino};
  }
};

}  // namespace blockhaul
