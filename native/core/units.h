#pragma once

#include <cstdint>

namespace blockhaul {

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;

/// The unit in which runs of zeros are looked for.
inline constexpr std::uint64_t kZeroBlock = 4 * kKiB;
/// The unit that is hashed in one go; requests of a copy are cut at multiples of it.
inline constexpr std::uint64_t kLeaf = 64 * kKiB;
/// The unit of digest and checkpoint.
inline constexpr std::uint64_t kChunk = 4 * kMiB;

[[nodiscard]] constexpr bool is_power_of_two(std::uint64_t value) {
  return value != 0 && (value & (value - 1)) == 0;
}

/// `unit` is a power of two.
[[nodiscard]] constexpr std::uint64_t align_down(std::uint64_t value, std::uint64_t unit) {
  return value & ~(unit - 1);
}

/// `unit` is a power of two; `value` is at most 2^63.
[[nodiscard]] constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t unit) {
  return align_down(value + unit - 1, unit);
}

[[nodiscard]] constexpr std::uint64_t divide_up(std::uint64_t value, std::uint64_t unit) {
  return value / unit + (value % unit != 0 ? 1 : 0);
}

}  // namespace blockhaul
