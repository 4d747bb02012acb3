#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/result.h"
#include "io/unique_descriptor.h"

namespace blockhaul {

/// A lock on one place of a file that stands for many things, one a place: nothing is left behind
/// for each of them, as a file of its own would be. It belongs to this object, not to the process
/// (an open file description lock), and the kernel takes it back however the process ends.
class RegionLock {
 public:
  /// The lock on a byte of a file, which is made where it is missing, for its owner only; null
  /// where somebody else has it, in this process or another. Does not wait.
  static Result<std::unique_ptr<RegionLock>> take(const std::string& path, std::uint64_t place);

 private:
  explicit RegionLock(UniqueDescriptor descriptor) : descriptor_(std::move(descriptor)) {}
  UniqueDescriptor descriptor_;
};

}  // namespace blockhaul
