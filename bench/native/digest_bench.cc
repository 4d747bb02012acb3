#include <vector>

#include "copy/inspect.h"
#include "core/digest.h"
#include "memory.h"

namespace blockhaul::bench {
namespace {

void digest_leaves(benchmark::State& state, DigestKind kind) {
  Arena arena;
  arena.fill_randomly();
  for (auto _ : state) {
    const std::span<std::byte> piece = arena.next();
    for (std::size_t at = 0; at < piece.size(); at += kLeaf) {
      benchmark::DoNotOptimize(digest_bytes(kind, piece.subspan(at, kLeaf)));
    }
  }
  count_bytes(state, kPiece);
}
BENCHMARK_CAPTURE(digest_leaves, xxh3, DigestKind::xxh3)->Name("digest, xxh3");
BENCHMARK_CAPTURE(digest_leaves, sha256, DigestKind::sha256)->Name("digest, sha256");

/// All that a copy does with what it has read: zeros and digest, in one pass.
void inspect_pieces(benchmark::State& state, bool zeros) {
  Arena arena;
  if (zeros) {
    arena.fill_with_zeros();
  } else {
    arena.fill_randomly();
  }
  const std::vector<std::byte> blank(kLeaf);
  const DigestValue zero_leaf = digest_bytes(DigestKind::xxh3, blank);
  const InspectOptions options{.digest = DigestKind::xxh3, .shortest_zero_run = kZeroBlock};
  std::vector<Run> runs;
  std::vector<DigestValue> leaves;
  for (auto _ : state) {
    inspect(arena.next(), 0, options, zero_leaf, runs, leaves);
    benchmark::DoNotOptimize(runs.data());
    benchmark::DoNotOptimize(leaves.data());
  }
  count_bytes(state, kPiece);
}
BENCHMARK_CAPTURE(inspect_pieces, data, false)->Name("inspection, data");
BENCHMARK_CAPTURE(inspect_pieces, zeros, true)->Name("inspection, all zero");

}  // namespace
}  // namespace blockhaul::bench
