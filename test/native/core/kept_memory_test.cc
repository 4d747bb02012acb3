#include "core/kept_memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <thread>
#include <vector>

#include "core/units.h"
#include "support/sanitizers.h"

namespace blockhaul::test {
namespace {

constexpr std::uint64_t kBlock = 2 * kMiB;
constexpr std::uint64_t kAll = 12 * kBlock;

/// Of this process, in bytes.
std::uint64_t resident() {
  std::uint64_t all = 0;
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> all >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// On a thread of its own, which has a heap of its own: what other tests left free would blur it.
TEST(KeptMemoryTest, IsGivenBackOnlyWhenAskedFor) {
  if (kAddressSanitizer || kThreadSanitizer) GTEST_SKIP() << "malloc is the sanitizer's own";
  keep_freed_memory();
  std::thread([] {
    std::vector<std::vector<char>> blocks;
    std::vector<std::vector<char>> between;  // what is free then is not all at the heap's end
    for (std::uint64_t i = 0; i < kAll / kBlock; ++i) {
      blocks.emplace_back(kBlock, 'x');
      between.emplace_back(64 * kKiB, 'x');
    }
    const std::uint64_t used = resident();
    blocks.clear();
    EXPECT_GT(resident() + kAll / 4, used) << "malloc gave back what it was to keep";
    give_back_kept_memory();
    EXPECT_LT(resident() + kAll * 3 / 4, used) << "malloc keeps what it was to give back";
  }).join();
}

}  // namespace
}  // namespace blockhaul::test
