#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "volume/librbd.h"

namespace blockhaul {

/// What an open image says of itself; fixed while it is open.
struct RbdFacts {
  std::uint64_t size = 0;         ///< bytes; of the snapshot, where one is open
  std::uint64_t object_size = 0;  ///< bytes
  std::uint64_t stripe_unit = 0;  ///< bytes
  std::uint64_t stripe_count = 1;
  std::uint64_t features = 0;  ///< RBD_FEATURE_… bits
  std::int64_t pool_id = 0;
  std::string id;  ///< the image's, unique in its pool and namespace whatever it is called
  std::optional<std::uint64_t> snapshot_id{};
  bool has_parent = false;  ///< a clone that still reads from what it was cloned from
  bool cached = false;  ///< librbd keeps data of it in memory, since the image or its pool says so

  /// Bytes after which the order of objects begins anew: what lies between two multiples of it
  /// shares no object with the rest.
  [[nodiscard]] std::uint64_t period() const { return object_size * stripe_count; }

  static Result<RbdFacts> read(const Librbd& librbd, rados_ioctx_t pool, rbd_image_t image,
                               const std::string& name, const std::optional<std::string>& snapshot);
};

}  // namespace blockhaul
