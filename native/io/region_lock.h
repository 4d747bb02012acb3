#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/result.h"
#include "io/unique_descriptor.h"

namespace blockhaul {

/// Who may hold a lock at the same time: many that share it, or one alone.
enum class LockMode : std::uint8_t { shared, exclusive };

/// A lock on a range of a file. It belongs to this object, not to the process (an open file
/// description lock), and the kernel takes it back however the process ends. The file may be one
/// that stands for many things, a place for each: nothing is left behind for each of them, as a
/// file of its own would be. The range need not exist in the file.
class RegionLock {
 public:
  struct Region {
    std::uint64_t start = 0;
    std::uint64_t length = 1;  ///< not 0, which would be all of the rest
  };

  /// The lock on a part of a file, which is made where it is missing, for its owner only; null
  /// where somebody else has it, in this process or another. Does not wait.
  static Result<std::unique_ptr<RegionLock>> take(const std::string& path, Region region,
                                                  LockMode mode = LockMode::exclusive);
  /// The same of what is open already, in a description that nobody else uses. To share needs a
  /// descriptor that reads; to hold it alone, one that writes.
  static Result<std::unique_ptr<RegionLock>> take(UniqueDescriptor opened, Region region,
                                                  LockMode mode);
  ~RegionLock();

  /// What the lock is on. Closed with this object.
  [[nodiscard]] int descriptor() const { return descriptor_.get(); }

  RegionLock(const RegionLock&) = delete;
  RegionLock& operator=(const RegionLock&) = delete;

 private:
  explicit RegionLock(UniqueDescriptor descriptor) : descriptor_(std::move(descriptor)) {}
  UniqueDescriptor descriptor_;
};

/// fcntl(F_OFD_SETLK), taken up again after a signal; 0 or a positive errno. `type`: F_RDLCK, …
int set_region(int descriptor, short type, RegionLock::Region region) noexcept;

}  // namespace blockhaul
