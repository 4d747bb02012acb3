#include "core/extent.h"

#include <algorithm>

namespace blockhaul {

void append_extent(std::vector<Extent>& extents, Extent extent) {
  if (extent.length == 0) return;
  if (!extents.empty()) {
    Extent& last = extents.back();
    if (last.kind == extent.kind && last.end() == extent.offset) {
      last.length += extent.length;
      return;
    }
  }
  extents.push_back(extent);
}

std::vector<Extent> cover_range(const std::vector<Extent>& sparse, std::uint64_t offset,
                                std::uint64_t length, ExtentKind filler) {
  std::vector<Extent> covered;
  const std::uint64_t end = offset + length;
  std::uint64_t position = offset;
  for (const Extent& extent : sparse) {
    const std::uint64_t from = std::max(extent.offset, position);
    const std::uint64_t to = std::min(extent.end(), end);
    if (from >= to) continue;
    append_extent(covered, {position, from - position, filler});
    append_extent(covered, {from, to - from, extent.kind});
    position = to;
  }
  append_extent(covered, {position, end - position, filler});
  return covered;
}

}  // namespace blockhaul
