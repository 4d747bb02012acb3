#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "volume/rbd_image.h"

namespace blockhaul {

/// Which objects of an image, or of a snapshot of it, exist, as Ceph has it written down. librbd
/// answers reads out of it, too: an object that it denies reads as zeros, or as the parent.
class ObjectMap {
 public:
  /// Loads it; nothing where librbd makes no use of one: the feature is off, the map is missing, or
  /// flagged invalid. Blocks for as long as the cluster pleases.
  static Result<std::optional<ObjectMap>> load(const Librbd& librbd, rados_ioctx_t pool,
                                               rbd_image_t image, const RbdFacts& facts);

  /// Takes apart what the cluster answers: a bit vector of two bits an object, as Ceph encodes it.
  static Result<ObjectMap> decode(std::string_view answer);

  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// False of an object behind its end, too.
  [[nodiscard]] bool exists(std::uint64_t object) const;

 private:
  ObjectMap(std::uint64_t size, std::vector<char> states)
      : size_(size), states_(std::move(states)) {}

  std::uint64_t size_;        ///< objects
  std::vector<char> states_;  ///< four objects a byte, the first in the highest bits
};

}  // namespace blockhaul
