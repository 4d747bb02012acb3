#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "volume/rbd_image.h"

namespace blockhaul {

// Snapshots of images. What is asked of a place blocks; for how long at the most, on_cluster()
// says.

struct RbdSnapshot {
  std::uint64_t id = 0;
  std::string name;
  std::uint64_t size = 0;  ///< bytes of the image when it was taken
  bool is_users = true;    ///< of the namespace of snapshots that people take
  std::string in_use;      ///< why it cannot be removed, in words; only list_snapshots() looks
};

/// All snapshots of an open image, the oldest first. Blocks for as long as the cluster pleases.
[[nodiscard]] Result<std::vector<RbdSnapshot>> all_snapshots(const RbdImage& image);

/// The snapshots that people took of an image, the oldest first; `options` names no snapshot.
[[nodiscard]] Result<std::vector<RbdSnapshot>> list_snapshots(const RbdOpenOptions& options);

/// Takes the snapshot that `options` names. EEXIST where there is one of that name. One that is
/// taken when nobody waits any more is removed again.
[[nodiscard]] Status create_snapshot(RbdOpenOptions options);

/// Removes the snapshot that `options` names. ENOENT; EBUSY where it is protected.
[[nodiscard]] Status remove_snapshot(RbdOpenOptions options);

}  // namespace blockhaul
