#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "volume/rbd_image.h"

namespace blockhaul {

/// What decides how an image, or a snapshot of one, can be copied, and what one like it is made
/// with.
struct RbdInspection {
  std::string fsid;        ///< of the cluster
  std::string id;          ///< of the image
  std::uint64_t size = 0;  ///< bytes
  std::vector<std::string> features;
  std::uint64_t object_size = 0;  ///< bytes
  std::uint64_t stripe_unit = 0;  ///< bytes
  std::uint64_t stripe_count = 1;
  std::string data_pool{};  ///< ""; its data lies in its own pool
  RbdMeta meta{};
};

/// Opens an image to read, and looks. Blocks; for how long at the most, on_cluster() says.
[[nodiscard]] Result<RbdInspection> inspect_image(const RbdOpenOptions& options);

/// Which place it is, whatever configuration or name leads there: the cluster's id, the pool's
/// number, the namespace. Blocks as inspect_image() does. Fails with ENOENT where there is no such
/// pool.
[[nodiscard]] Result<std::string> inspect_place(const RbdPlace& place);

}  // namespace blockhaul
