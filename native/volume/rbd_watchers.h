#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "volume/rbd_image.h"
#include "volume/volume.h"

namespace blockhaul {

/// The same as watchers_of(), of a librbd that has the functions; blocks for as long as the cluster
/// pleases.
[[nodiscard]] Result<std::vector<Watcher>> list_watchers(const RbdImage& image);

/// Who watches an image: every client that has it open to write to it, this one too; nothing where
/// librbd is too old to say. Blocks, but only as long as the connection's patience.
[[nodiscard]] Result<std::optional<std::vector<Watcher>>> watchers_of(
    const std::shared_ptr<RbdImage>& image);

}  // namespace blockhaul
