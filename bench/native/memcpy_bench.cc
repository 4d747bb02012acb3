// What all others are held against: moving bytes once, in pieces of a request, through as much
// memory as a copy has.

#include <cstring>

#include "memory.h"

namespace blockhaul::bench {
namespace {

void memcpy_pieces(benchmark::State& state) {
  Arena from;
  Arena to;
  from.fill_randomly();
  to.fill_with_zeros();
  for (auto _ : state) {
    std::memcpy(to.next().data(), from.next().data(), kPiece);
    benchmark::ClobberMemory();
  }
  count_bytes(state, kPiece);
}
BENCHMARK(memcpy_pieces)->Name("memcpy");

}  // namespace
}  // namespace blockhaul::bench
