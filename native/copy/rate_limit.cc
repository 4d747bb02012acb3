#include "copy/rate_limit.h"

#include <algorithm>

namespace blockhaul {

void RateLimit::set(std::uint64_t bytes_per_second) {
  const std::lock_guard lock(mutex_);
  bytes_per_second_ = bytes_per_second;
  next_ = {};
  changes_.fetch_add(1, std::memory_order_release);
}

Clock::time_point RateLimit::reserve(std::uint64_t bytes, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (bytes_per_second_ == 0) return now;
  const Clock::time_point begin = std::max(next_, now);
  const std::chrono::duration<double> takes(static_cast<double>(bytes) /
                                            static_cast<double>(bytes_per_second_));
  next_ = begin + std::chrono::duration_cast<Clock::duration>(takes);
  return begin;
}

}  // namespace blockhaul
