#pragma once

#include <string>

#include "volume/rbd_image.h"

namespace blockhaul {

/// What is to be done to an image.
enum class RbdChange : std::uint8_t { snapshot, rename, remove };

/// Looks whether an image could be changed so, and changes nothing but that it opens the image for
/// writing for a moment. EROFS of a mirrored image that is not primary; EPERM where this user may
/// not write; of a removal, EBUSY where it is in a group, is being migrated, or has snapshots that
/// a clone, a group or a mirror still needs. Blocks; for how long at the most, on_cluster() says.
[[nodiscard]] Status check_changeable(const RbdOpenOptions& options, RbdChange change);

}  // namespace blockhaul
