#pragma once

#include <cstdint>
#include <iterator>
#include <map>

namespace blockhaul {

/// How far a volume is finished without a gap, where its pieces are finished in any order.
class Frontier {
 public:
  /// All before `position` is finished already.
  explicit Frontier(std::uint64_t position) : position_(position) {}

  /// Notes a piece; each byte is noted once.
  void finished(std::uint64_t offset, std::uint64_t length) {
    if (offset != position_) {
      ahead_.emplace(offset, length);
      return;
    }
    position_ += length;
    for (auto next = ahead_.begin(); next != ahead_.end() && next->first == position_;) {
      position_ += next->second;
      next = ahead_.erase(next);
    }
  }

  /// In bytes: everything before it is finished.
  [[nodiscard]] std::uint64_t position() const { return position_; }

 private:
  std::uint64_t position_;
  std::map<std::uint64_t, std::uint64_t> ahead_;  ///< lengths of what is finished behind a gap
};

}  // namespace blockhaul
