#include "volume/bounce.h"

#include <algorithm>

#include "core/units.h"

namespace blockhaul {
namespace {

constexpr std::uint64_t kMost = kMiB;  // of blocks at once

}  // namespace

Result<std::unique_ptr<Bounce>> Bounce::around(std::uint64_t begin, std::uint64_t end,
                                               std::uint64_t alignment) {
  const std::uint64_t offset = begin - begin % alignment;
  const std::uint64_t last = (end + alignment - 1) / alignment * alignment;
  const std::uint64_t length = std::min(last - offset, std::max(kMost, alignment));
  Result<PageMemory> memory = PageMemory::create(length);
  if (!memory) return memory.error();
  return std::make_unique<Bounce>(Bounce{.memory = std::move(memory.value()),
                                         .offset = offset,
                                         .length = length,
                                         .from = begin - offset,
                                         .count = std::min(end, offset + length) - begin});
}

}  // namespace blockhaul
