#include "volume/rbd_changes.h"

#include <gtest/gtest.h>

namespace blockhaul::test {
namespace {

constexpr auto kData = ExtentKind::data;
constexpr auto kHole = ExtentKind::hole;

TEST(ChangedExtentsTest, SortsAndJoins) {
  ChangedExtents changes(100, 1000, 10);
  changes.add({120, 10, kData});
  changes.add({100, 20, kData});
  changes.add({130, 5, kHole});
  changes.add({200, 0, kData});
  changes.add({950, 50, kHole});
  const std::vector<Extent> expected{{100, 30, kData}, {130, 5, kHole}, {950, 50, kHole}};
  EXPECT_EQ(changes.sorted(), expected);
}

TEST(ChangedExtentsTest, CountsNothingTwice) {
  ChangedExtents changes(100, 1000, 10);
  changes.add({100, 50, kData});
  changes.add({120, 10, kData});
  changes.add({140, 30, kData});
  EXPECT_EQ(changes.sorted(), (std::vector<Extent>{{100, 70, kData}}));
}

TEST(ChangedExtentsTest, OfNothingAreNone) {
  EXPECT_EQ(ChangedExtents(100, 0, 10).sorted(), std::vector<Extent>{});
}

// However many there are: what is widened covers all that was reported, and no more than its
// periods.
TEST(ChangedExtentsTest, AreWidenedToPeriodsWhereTheyAreMany) {
  constexpr std::uint64_t kPeriod = 12;  // of three stripes: no power of two
  constexpr std::uint64_t kSize = 12 * 100 + 5;
  ChangedExtents changes(kPeriod, kSize, 20);
  for (std::uint64_t period = 0; period <= 100; period += 2) {
    for (std::uint64_t at : {8, 2, 0, 4}) {
      const std::uint64_t offset = period * kPeriod + at;
      if (offset < kSize) changes.add({offset, 1, at == 4 ? kHole : kData});
    }
  }
  const std::vector<Extent> found = changes.sorted();
  EXPECT_EQ(found.size(), 51);
  for (std::uint64_t i = 0; i < found.size(); ++i) {
    const std::uint64_t begin = 2 * i * kPeriod;
    EXPECT_EQ(found[i], (Extent{begin, std::min(kPeriod, kSize - begin), kData}));
  }
}

}  // namespace
}  // namespace blockhaul::test
