#include "core/zero.h"
#include "memory.h"

namespace blockhaul::bench {
namespace {

void look_for_zeros(benchmark::State& state, bool (*check)(std::span<const std::byte>)) {
  Arena arena;
  arena.fill_with_zeros();
  for (auto _ : state) benchmark::DoNotOptimize(check(arena.next()));
  count_bytes(state, kPiece);
}
BENCHMARK_CAPTURE(look_for_zeros, fastest, is_zero)->Name("zero check, all zero");
BENCHMARK_CAPTURE(look_for_zeros, portable, is_zero_portable)
    ->Name("zero check, all zero, without SIMD");

/// As a copy finds them: right after they were read, still in the second-level cache.
void look_for_zeros_in_cache(benchmark::State& state) {
  Arena arena;
  arena.fill_with_zeros();
  const std::span<std::byte> leaf = arena.bytes().first(kLeaf);
  for (auto _ : state) {
    benchmark::DoNotOptimize(is_zero(leaf));
    benchmark::ClobberMemory();
  }
  count_bytes(state, kLeaf);
}
BENCHMARK(look_for_zeros_in_cache)->Name("zero check, all zero, in cache");

/// Data is told from zeros by its first bytes: what a block of it costs.
void look_at_data(benchmark::State& state) {
  Arena arena;
  arena.fill_randomly();
  for (auto _ : state) {
    const std::span<std::byte> piece = arena.next();
    for (std::size_t at = 0; at < piece.size(); at += kZeroBlock) {
      benchmark::DoNotOptimize(is_zero(piece.subspan(at, kZeroBlock)));
    }
  }
  count_bytes(state, kPiece);
}
BENCHMARK(look_at_data)->Name("zero check, data");

}  // namespace
}  // namespace blockhaul::bench
