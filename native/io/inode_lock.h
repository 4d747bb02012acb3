#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "io/region_lock.h"

namespace blockhaul {

/// What came of locking the very file or device node that a volume is: whatever user, state
/// directory or mount namespace another blockhaul has, the kernel knows of both.
struct InodeLock {
  enum class State : std::uint8_t {
    locked,
    taken,          ///< another blockhaul has it
    taken_by_qemu,  ///< a program that locks as QEMU does excludes us; other blockhauls are kept
                    ///< away
    unlockable,     ///< the file system has no locks, or lost its lock server
  };

  State state = State::unlockable;
  int error = 0;                       ///< of what is unlockable, a positive errno
  std::unique_ptr<RegionLock> lock{};  ///< of what is locked, and of taken_by_qemu

  /// `opened` is a description of its own: it needs to write for a lock that is exclusive.
  static Result<InodeLock> take(UniqueDescriptor opened, LockMode mode);
};

[[nodiscard]] std::string_view name_of(InodeLock::State state);

}  // namespace blockhaul
