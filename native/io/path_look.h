#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/result.h"

namespace blockhaul {

/// What a path leads to at one moment.
struct PathLook {
  bool is_file = false;
  bool is_device = false;   ///< a block device
  std::uint32_t major = 0;  ///< of the device, or of the one that the file lies on
  std::uint32_t minor = 0;
  std::uint64_t inode = 0;
  std::uint64_t links = 0;
  std::uint64_t size = 0;              ///< bytes; 0 of a device
  std::optional<std::int64_t> born{};  ///< nanoseconds since 1970, where the file system keeps it
  bool is_immutable = false;           ///< chattr +i
  bool is_append_only = false;         ///< chattr +a
  std::int64_t modified = 0;           ///< of its content
  std::int64_t changed = 0;            ///< of its metadata too
};

/// Blocks as long as the storage does. Nothing where nothing has the path.
[[nodiscard]] Result<std::optional<PathLook>> look_at_path(const std::string& path);

/// What is open.
[[nodiscard]] Result<PathLook> look_at_descriptor(int descriptor);

/// Flushes what the page cache holds of a device or a file; blocks as long as the storage does.
[[nodiscard]] Result<bool> sync_path(const std::string& path);

}  // namespace blockhaul
