#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "volume/rbd_image.h"

namespace blockhaul {

/// What decides how an image, or a snapshot of one, can be copied.
struct RbdInspection {
  std::string fsid;        ///< of the cluster
  std::string id;          ///< of the image
  std::uint64_t size = 0;  ///< bytes
  std::vector<std::string> features;
};

/// Opens an image to read, and looks. Blocks; for how long at the most, on_cluster() says.
[[nodiscard]] Result<RbdInspection> inspect_image(const RbdOpenOptions& options);

}  // namespace blockhaul
