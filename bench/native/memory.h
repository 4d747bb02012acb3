#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "core/page_memory.h"
#include "core/units.h"

namespace blockhaul::bench {

/// As much memory as a copy has by default: more than the caches hold, as it is in a copy.
constexpr std::size_t kArena = 32 * kMiB;
/// Of a copy's requests.
constexpr std::size_t kPiece = 2 * kMiB;

/// Page-aligned memory that is walked through piece by piece, over and over.
class Arena {
 public:
  Arena() : memory_(std::move(PageMemory::create(kArena).value())) {}

  [[nodiscard]] std::span<std::byte> bytes() { return memory_.bytes(); }
  [[nodiscard]] std::span<std::byte> next() {
    const std::size_t begin = next_;
    next_ = (next_ + kPiece) % kArena;
    return bytes().subspan(begin, kPiece);
  }

  /// Data: no block of it is zero.
  void fill_randomly() {
    std::uint64_t state = 0x9e3779b97f4a7c15U;
    for (std::size_t at = 0; at < kArena; at += sizeof state) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      std::memcpy(bytes().data() + at, &state, sizeof state);
    }
  }
  void fill_with_zeros() { std::memset(bytes().data(), 0, kArena); }

 private:
  PageMemory memory_;
  std::size_t next_ = 0;
};

/// What bench/native.mjs computes bytes per cycle and ratios to memcpy from.
inline void count_bytes(benchmark::State& state, std::uint64_t bytes_an_iteration) {
  state.counters["bytes"] = static_cast<double>(bytes_an_iteration);
}

}  // namespace blockhaul::bench
