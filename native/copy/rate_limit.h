#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "io/reactor.h"

namespace blockhaul {

/// Spreads bytes over time. Each caller reserves what it is about to move and is told when it may
/// begin. The rate may change at any time; it counts for what is reserved from then on, and who
/// still waits by an older one reserves again.
class RateLimit {
 public:
  /// `bytes_per_second` 0: no limit.
  explicit RateLimit(std::uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  void set(std::uint64_t bytes_per_second);
  /// When `bytes` may begin; `now` or earlier: at once.
  Clock::time_point reserve(std::uint64_t bytes, Clock::time_point now);
  /// How often the rate was set.
  [[nodiscard]] unsigned changes() const { return changes_.load(std::memory_order_acquire); }

 private:
  std::atomic<unsigned> changes_{0};
  std::mutex mutex_;
  // Guarded by mutex_:
  std::uint64_t bytes_per_second_;
  Clock::time_point next_{};  ///< when all that is reserved will have been moved
};

}  // namespace blockhaul
