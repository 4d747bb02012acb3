#pragma once

#include <atomic>
#include <cstdint>

#include "volume/rbd_image.h"

namespace blockhaul {

/// A clone of a snapshot that is made and flattened: an image of its own, which holds what the
/// snapshot holds. All of that happens through one client: the target's connection.
struct RbdCloneOptions {
  RbdOpenOptions source;  ///< names a snapshot
  RbdOpenOptions target;  ///< `create` says what it is to be, and its size the source's
};

/// How a clone is watched and stopped, from any thread.
struct RbdCloneControl {
  std::atomic<std::uint64_t> done{0};  ///< about, in bytes
  std::atomic<bool> is_cancelled{false};
};

/// Makes the target; EEXIST where there is one. Whatever fails, and where it is cancelled, what was
/// made of it is removed, and the message says where that could not be. Blocks, and gives up where
/// the cluster does not answer for longer than the connection's patience.
[[nodiscard]] Status clone_snapshot(const RbdCloneOptions& options,
                                    const std::shared_ptr<RbdCloneControl>& control);

}  // namespace blockhaul
