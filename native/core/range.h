#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace blockhaul {

/// Bytes of a volume.
struct Range {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;

  [[nodiscard]] std::uint64_t end() const { return offset + length; }
  bool operator==(const Range&) const = default;
};

/// A set of bytes, kept as the fewest ranges.
class RangeSet {
 public:
  void add(Range range) {
    if (range.length == 0) return;
    auto next = ranges_.lower_bound(range.offset);
    if (next != ranges_.begin() && std::prev(next)->second >= range.offset) --next;
    std::uint64_t begin = range.offset;
    std::uint64_t end = range.end();
    while (next != ranges_.end() && next->first <= end) {
      begin = next->first < begin ? next->first : begin;
      end = next->second > end ? next->second : end;
      next = ranges_.erase(next);
    }
    ranges_.emplace(begin, end);
  }

  /// Ascending, apart from each other.
  [[nodiscard]] std::vector<Range> list() const {
    std::vector<Range> ranges;
    for (const auto& [begin, end] : ranges_) ranges.push_back({begin, end - begin});
    return ranges;
  }
  [[nodiscard]] bool empty() const { return ranges_.empty(); }

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;  ///< ends by beginnings
};

}  // namespace blockhaul
