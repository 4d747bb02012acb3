#include "core/extent.h"

#include <gtest/gtest.h>

#include <random>

namespace blockhaul::test {
namespace {

using Extents = std::vector<Extent>;
constexpr ExtentKind kData = ExtentKind::data;
constexpr ExtentKind kZero = ExtentKind::zero;
constexpr ExtentKind kHole = ExtentKind::hole;

TEST(AppendExtentTest, JoinsOnlyWhatContinuesInKindAndPlace) {
  Extents extents;
  append_extent(extents, {0, 10, kData});
  append_extent(extents, {10, 5, kData});
  EXPECT_EQ(extents, (Extents{{0, 15, kData}}));
  append_extent(extents, {15, 5, kHole});
  append_extent(extents, {20, 5, kZero});
  append_extent(extents, {26, 5, kZero});
  append_extent(extents, {31, 0, kData});
  EXPECT_EQ(extents, (Extents{{0, 15, kData}, {15, 5, kHole}, {20, 5, kZero}, {26, 5, kZero}}));
}

TEST(CoverRangeTest, FillsWhatIsNotNamed) {
  EXPECT_EQ(cover_range({}, 5, 10, kHole), (Extents{{5, 10, kHole}}));
  EXPECT_EQ(cover_range({}, 5, 0, kHole), Extents{});
  EXPECT_EQ(cover_range({{3, 4, kData}}, 0, 10, kHole),
            (Extents{{0, 3, kHole}, {3, 4, kData}, {7, 3, kHole}}));
  EXPECT_EQ(cover_range({{0, 4, kData}, {4, 6, kData}}, 0, 10, kHole), (Extents{{0, 10, kData}}));
}

TEST(CoverRangeTest, CutsOffWhatLiesOutside) {
  const Extents sparse = {{0, 4, kData}, {6, 4, kZero}, {12, 8, kData}};
  EXPECT_EQ(cover_range(sparse, 2, 14, kHole),
            (Extents{{2, 2, kData}, {4, 2, kHole}, {6, 4, kZero}, {10, 2, kHole}, {12, 4, kData}}));
  EXPECT_EQ(cover_range(sparse, 4, 2, kHole), (Extents{{4, 2, kHole}}));
  EXPECT_EQ(cover_range(sparse, 30, 5, kHole), (Extents{{30, 5, kHole}}));
  EXPECT_EQ(cover_range(sparse, 13, 2, kHole), (Extents{{13, 2, kData}}));
}

// The property that all users rely on, against a byte by byte model.
TEST(CoverRangeTest, CoversAnyRangeOfAnyListWithoutGaps) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 2000; ++round) {
    constexpr std::uint64_t kSize = 64;
    std::vector<ExtentKind> model(kSize, kHole);
    Extents sparse;
    for (std::uint64_t at = random() % 8; at < kSize;) {
      const Extent extent{at, std::min(1 + random() % 9, kSize - at),
                          static_cast<ExtentKind>(random() % 3)};
      sparse.push_back(extent);
      std::fill_n(model.begin() + static_cast<std::ptrdiff_t>(at), extent.length, extent.kind);
      at = extent.end() + random() % 4;
    }
    const std::uint64_t offset = random() % kSize;
    const std::uint64_t length = random() % (kSize - offset + 1);
    std::uint64_t position = offset;
    for (const Extent& extent : cover_range(sparse, offset, length, kHole)) {
      ASSERT_EQ(extent.offset, position) << "round " << round;
      ASSERT_GT(extent.length, 0U);
      for (; position < extent.end(); ++position)
        ASSERT_EQ(extent.kind, model.at(position)) << "round " << round << ", byte " << position;
    }
    ASSERT_EQ(position, offset + length) << "round " << round;
  }
}

}  // namespace
}  // namespace blockhaul::test
