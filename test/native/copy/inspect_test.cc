#include "copy/inspect.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/units.h"
#include "core/zero.h"
#include "support/content.h"

namespace blockhaul {

static bool operator==(const Run& one, const Run& other) {
  return one.offset == other.offset && one.length == other.length && one.is_zero == other.is_zero;
}
static void PrintTo(const Run& run, std::ostream* out) {
  *out << (run.is_zero ? "zero " : "data ") << run.offset << "+" << run.length;
}

namespace test {
namespace {

using Runs = std::vector<blockhaul::Run>;  // in a test, Run is GoogleTest's

struct Found {
  Runs runs;
  std::vector<DigestValue> leaves;
};

Found look(const Bytes& bytes, std::uint64_t offset, const InspectOptions& options) {
  const DigestValue zero_leaf = options.digest == DigestKind::none
                                    ? DigestValue{}
                                    : digest_bytes(options.digest, Bytes(kLeaf));
  Found found;
  found.runs.push_back({1, 2, true});  // what was there before must go
  inspect(bytes, offset, options, zero_leaf, found.runs, found.leaves);
  return found;
}

Bytes with_data(std::size_t size, const std::vector<Extent>& data) {
  return content_of(size, data, 1).bytes;
}

TEST(InspectTest, FindsZerosInBlocksOf4KiB) {
  const InspectOptions options{.shortest_zero_run = 1};
  EXPECT_EQ(look(Bytes(kMiB), 3 * kMiB, options).runs, (Runs{{3 * kMiB, kMiB, true}}));
  EXPECT_EQ(look(random_bytes(kMiB, 1), kMiB, options).runs, (Runs{{kMiB, kMiB, false}}));
  // A single byte, the last one of its block.
  Bytes bytes(4 * kZeroBlock);
  bytes[2 * kZeroBlock - 1] = std::byte{1};
  EXPECT_EQ(look(bytes, 0, options).runs, (Runs{{0, kZeroBlock, true},
                                                {kZeroBlock, kZeroBlock, false},
                                                {2 * kZeroBlock, 2 * kZeroBlock, true}}));
}

TEST(InspectTest, LooksAtATailThatIsNoBlock) {
  const InspectOptions options{.shortest_zero_run = 1};
  for (const std::size_t tail : {1, 511, 513, 4095}) {
    Bytes bytes = with_data(kLeaf + tail, {{0, kLeaf, ExtentKind::data}});
    EXPECT_EQ(look(bytes, kLeaf, options).runs,
              (Runs{{kLeaf, kLeaf, false}, {2 * kLeaf, tail, true}}));
    bytes.back() = std::byte{7};
    EXPECT_EQ(look(bytes, kLeaf, options).runs, (Runs{{kLeaf, kLeaf + tail, false}}));
  }
}

TEST(InspectTest, LeavesShortZerosBetweenDataToTheData) {
  const std::size_t size = 16 * kZeroBlock;
  const auto data_but = [&](std::uint64_t from, std::uint64_t length) {
    return with_data(size, {{0, from, ExtentKind::data},
                            {from + length, size - from - length, ExtentKind::data}});
  };
  const InspectOptions options{.shortest_zero_run = 4 * kZeroBlock};
  EXPECT_EQ(look(data_but(4 * kZeroBlock, 3 * kZeroBlock), 0, options).runs,
            (Runs{{0, size, false}}));
  EXPECT_EQ(look(data_but(4 * kZeroBlock, 4 * kZeroBlock), 0, options).runs,
            (Runs{{0, 4 * kZeroBlock, false},
                  {4 * kZeroBlock, 4 * kZeroBlock, true},
                  {8 * kZeroBlock, 8 * kZeroBlock, false}}));
  // At an end they count, however short.
  EXPECT_EQ(look(data_but(0, kZeroBlock), 0, options).runs,
            (Runs{{0, kZeroBlock, true}, {kZeroBlock, size - kZeroBlock, false}}));
  EXPECT_EQ(look(data_but(size - kZeroBlock, kZeroBlock), 0, options).runs,
            (Runs{{0, size - kZeroBlock, false}, {size - kZeroBlock, kZeroBlock, true}}));
}

TEST(InspectTest, DoesNotLookForZerosThatNobodyWants) {
  EXPECT_EQ(look(Bytes(kMiB + 3), kMiB, {}).runs, (Runs{{kMiB, kMiB + 3, false}}));
}

TEST(InspectTest, TakesTheDigestOfEachLeafWhateverTheRuns) {
  for (const std::uint64_t shortest : {std::uint64_t{0}, kZeroBlock, kLeaf}) {
    for (const DigestKind kind : {DigestKind::xxh3, DigestKind::sha256}) {
      const Bytes bytes = with_data(
          4 * kLeaf + 77, {{kLeaf, kLeaf, ExtentKind::data}, {3 * kLeaf + 9, 1, ExtentKind::data}});
      const Found found = look(bytes, 0, {.digest = kind, .shortest_zero_run = shortest});
      ASSERT_EQ(found.leaves.size(), 5U);
      for (std::size_t leaf = 0; leaf < 5; ++leaf) {
        const auto part =
            std::span(bytes).subspan(leaf * kLeaf, std::min(kLeaf, bytes.size() - leaf * kLeaf));
        EXPECT_EQ(found.leaves[leaf], digest_bytes(kind, part)) << leaf;
      }
    }
  }
  EXPECT_TRUE(look(Bytes(kLeaf), 0, {}).leaves.empty());
}

// Whatever is found, the runs tile what was read, and none that is called zero holds data.
TEST(InspectTest, NeverCallsDataZero) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    std::mt19937_64 random(seed);
    const Content content = random_content(1 + random() % kMiB, random);
    const std::uint64_t offset = kLeaf * (random() % 100);
    const std::uint64_t shortest = kZeroBlock << (random() % 6);
    std::uint64_t position = offset;
    const Runs runs = look(content.bytes, offset, {.shortest_zero_run = shortest}).runs;
    for (const blockhaul::Run& run : runs) {
      ASSERT_EQ(run.offset, position) << "seed " << seed;
      ASSERT_GT(run.length, 0U);
      const auto part = std::span(content.bytes).subspan(run.offset - offset, run.length);
      if (run.is_zero) {
        ASSERT_TRUE(is_zero(part)) << "seed " << seed << ", run at " << run.offset;
      }
      position += run.length;
    }
    ASSERT_EQ(position, offset + content.bytes.size()) << "seed " << seed;
    for (std::size_t i = 1; i < runs.size(); ++i)
      ASSERT_NE(runs[i - 1].is_zero, runs[i].is_zero) << "seed " << seed;
  }
}

}  // namespace
}  // namespace test
}  // namespace blockhaul
