#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace blockhaul {

enum class ExtentKind : std::uint8_t {
  data,  ///< may hold anything: must be read
  zero,  ///< reads as zero and takes space
  hole,  ///< reads as zero and takes none
};

[[nodiscard]] constexpr std::string_view name_of(ExtentKind kind) {
  switch (kind) {
    case ExtentKind::data:
      return "data";
    case ExtentKind::zero:
      return "zero";
    case ExtentKind::hole:
      return "hole";
  }
  return "data";
}

/// A range of a volume, in bytes.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  ExtentKind kind = ExtentKind::data;

  [[nodiscard]] std::uint64_t end() const { return offset + length; }
  bool operator==(const Extent&) const = default;
};

/// Adds an extent behind the last one, joined to it where it continues it in kind and place.
void append_extent(std::vector<Extent>& extents, Extent extent);

/// Completes a sparse list (ascending, no overlaps) to one that covers [offset, offset + length)
/// without gaps: what is not named becomes `filler`, what lies outside is cut off.
[[nodiscard]] std::vector<Extent> cover_range(const std::vector<Extent>& sparse,
                                              std::uint64_t offset, std::uint64_t length,
                                              ExtentKind filler);

}  // namespace blockhaul
