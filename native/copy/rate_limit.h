#pragma once

#include <cstdint>
#include <mutex>

#include "io/reactor.h"

namespace blockhaul {

/// Spreads bytes over time. Each caller reserves what it is about to move and is told when it may
/// begin; the rate may change at any time and counts for what is reserved from then on.
class RateLimit {
 public:
  /// `bytes_per_second` 0: no limit.
  explicit RateLimit(std::uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  void set(std::uint64_t bytes_per_second);
  /// When `bytes` may begin; `now` or earlier: at once.
  Clock::time_point reserve(std::uint64_t bytes, Clock::time_point now);

 private:
  std::mutex mutex_;
  // Guarded by mutex_:
  std::uint64_t bytes_per_second_;
  Clock::time_point next_{};  ///< when all that is reserved will have been moved
};

}  // namespace blockhaul
