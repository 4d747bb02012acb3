#include "volume/rbd_extents.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/units.h"

namespace blockhaul::test {
namespace {

RbdFacts facts_of(std::uint64_t size, std::uint64_t object_size, std::uint64_t stripe_count) {
  RbdFacts facts;
  facts.size = size;
  facts.object_size = object_size;
  facts.stripe_count = stripe_count;
  return facts;
}

/// Stands in for an image: what librbd would say of it, and a log of what it was asked. The C API
/// has no room for a context, so there is one at a time.
struct FakeImage {
  struct Query {
    std::uint64_t offset;
    std::uint64_t length;
    bool whole_objects;
    bool operator==(const Query&) const = default;
  };

  std::uint64_t features = RBD_FEATURE_OBJECT_MAP | RBD_FEATURE_FAST_DIFF;
  std::uint64_t flags = 0;
  std::uint64_t overlap = 0;
  std::vector<Extent> extents{};  ///< in the order of librbd's calls; kind data: exists
  std::vector<Extent> mapped{};   ///< what the object map says, where that is less
  int failure = 0;
  RbdExtents* to_interrupt = nullptr;
  RbdFacts facts = facts_of(64 * kMiB, 4 * kMiB, 1);
  std::vector<Query> queries{};

  static FakeImage* current;

  static int iterate(rbd_image_t, const char* from, uint64_t offset, uint64_t length,
                     uint8_t include_parent, uint8_t whole_objects,
                     int (*callback)(uint64_t, size_t, int, void*), void* context) {
    FakeImage& image = *current;
    EXPECT_EQ(from, nullptr);
    EXPECT_EQ(include_parent, whole_objects != 0 ? 0 : 1);
    EXPECT_EQ(offset % image.facts.period(), 0U) << "a query begins inside an object";
    EXPECT_GT(length, 0U);
    EXPECT_LE(offset + length, image.facts.size);
    image.queries.push_back({offset, length, whole_objects != 0});
    if (image.failure != 0) return image.failure;
    int result = 0;
    const bool less = whole_objects != 0 && !image.mapped.empty();
    for (const Extent& extent : less ? image.mapped : image.extents) {
      Extent said = extent;
      if (whole_objects != 0) {
        said.offset -= said.offset % image.facts.period();
        said.length = std::min(image.facts.period(), image.facts.size - said.offset);
      }
      const std::uint64_t from_offset = std::max(said.offset, offset);
      const std::uint64_t to_offset = std::min(said.end(), offset + length);
      if (from_offset >= to_offset) continue;
      if (image.to_interrupt != nullptr) image.to_interrupt->interrupt();
      // librbd goes on for a while after a refusal.
      const int answer =
          callback(from_offset, to_offset - from_offset, said.kind == ExtentKind::data, context);
      if (answer < 0 && result == 0) result = answer;
    }
    return result;
  }

  Librbd table() {
    current = this;
    Librbd librbd;
    librbd.major = 1;
    librbd.minor = 16;
    librbd.rbd_get_features = [](rbd_image_t, uint64_t* value) {
      return *value = current->features, 0;
    };
    librbd.rbd_get_flags = [](rbd_image_t, uint64_t* value) { return *value = current->flags, 0; };
    librbd.rbd_get_overlap = [](rbd_image_t, uint64_t* value) {
      return *value = current->overlap, 0;
    };
    librbd.rbd_diff_iterate2 = &FakeImage::iterate;
    return librbd;
  }
};

FakeImage* FakeImage::current = nullptr;

/// Asks until the end, as the copy does.
std::vector<Extent> walk(RbdExtents& extents, std::uint64_t size) {
  std::vector<Extent> all;
  std::uint64_t position = 0;
  while (position < size) {
    auto answer = extents.query(position, size - position);
    if (!answer) {
      ADD_FAILURE() << answer.error().message;
      return {};
    }
    for (const Extent& extent : answer.value()) {
      EXPECT_EQ(extent.offset, position);
      EXPECT_GT(extent.length, 0U);
      append_extent(all, extent);
      position = extent.end();
    }
  }
  EXPECT_EQ(position, size);
  return all;
}

/// All of the image: what is data beyond `finely` is data by whole units.
std::vector<Extent> covered(const FakeImage& image, std::uint64_t finely = 0) {
  std::vector<Extent> data;
  for (Extent extent : image.extents) {
    if (extent.kind != ExtentKind::data) continue;
    if (extent.offset >= finely) {
      const std::uint64_t period = image.facts.period();
      const std::uint64_t end = divide_up(extent.end(), period) * period;
      extent.offset -= extent.offset % period;
      extent.length = std::min(end, image.facts.size) - extent.offset;
    }
    data.push_back(extent);
  }
  std::sort(data.begin(), data.end(),
            [](const Extent& a, const Extent& b) { return a.offset < b.offset; });
  return cover_range(data, 0, image.facts.size, ExtentKind::hole);
}

TEST(RbdExtentsTest, AValidObjectMapDecides) {
  FakeImage image;
  image.facts.size = 400 * kMiB + 77;
  image.extents = {{8 * kMiB + 4096, 8192}, {12 * kMiB, 4 * kMiB}, {400 * kMiB, 70}};
  const Librbd librbd = image.table();
  RbdExtents extents(librbd, nullptr, image.facts);
  EXPECT_EQ(walk(extents, image.facts.size),
            (std::vector<Extent>{{0, 8 * kMiB, ExtentKind::hole},
                                 {8 * kMiB, 8 * kMiB},
                                 {16 * kMiB, 384 * kMiB, ExtentKind::hole},
                                 {400 * kMiB, 77}}));
  EXPECT_EQ(image.queries, (std::vector<FakeImage::Query>{{0, 400 * kMiB + 77, true}}));
}

TEST(RbdExtentsTest, AnEmptyImageIsOneQueryAndOneHole) {
  FakeImage image;
  image.facts.size = 200 * kGiB;
  const Librbd librbd = image.table();
  RbdExtents extents(librbd, nullptr, image.facts);
  EXPECT_EQ(walk(extents, image.facts.size),
            (std::vector<Extent>{{0, 200 * kGiB, ExtentKind::hole}}));
  EXPECT_EQ(image.queries.size(), 1U);
}

TEST(RbdExtentsTest, AnObjectMapIsTrustedOnlyWhileItIsValid) {
  struct Case {
    std::uint64_t features, flags;
  };
  constexpr std::uint64_t kBoth = RBD_FEATURE_OBJECT_MAP | RBD_FEATURE_FAST_DIFF;
  for (const Case& distrusted :
       {Case{RBD_FEATURE_OBJECT_MAP, 0}, Case{0, 0}, Case{kBoth, RBD_FLAG_OBJECT_MAP_INVALID},
        Case{kBoth, RBD_FLAG_FAST_DIFF_INVALID}}) {
    FakeImage image;
    image.features = distrusted.features;
    image.flags = distrusted.flags;
    image.extents = {{8 * kMiB, 4096}};
    const Librbd librbd = image.table();
    RbdExtents extents(librbd, nullptr, image.facts);
    EXPECT_EQ(walk(extents, image.facts.size), covered(image, image.facts.size));
    EXPECT_EQ(image.queries, (std::vector<FakeImage::Query>{{0, 64 * kMiB, false}}));
  }
}

TEST(RbdExtentsTest, AsFarAsTheParentReachesAllIsLookedAtFinely) {
  for (const std::uint64_t overlap :
       {std::uint64_t{1}, 4 * kMiB, 4 * kMiB + 1, 64 * kMiB, 128 * kMiB}) {
    FakeImage image;
    image.facts.size = 4 * kGiB;
    image.overlap = overlap;
    image.mapped = {{3 * kGiB, 4 * kMiB}};
    image.extents = {{0, 1}, {3 * kGiB, 5}};
    const Librbd librbd = image.table();
    RbdExtents extents(librbd, nullptr, image.facts);
    const std::uint64_t reached = align_up(overlap, 4 * kMiB);
    EXPECT_EQ(walk(extents, image.facts.size), covered(image, reached));
    EXPECT_EQ(image.queries, (std::vector<FakeImage::Query>{{0, reached, false},
                                                            {reached, 4 * kGiB - reached, true}}));
  }
}

TEST(RbdExtentsTest, OldReleasesAreNotAskedAboutClones) {
  FakeImage image;
  Librbd librbd = image.table();
  image.facts.has_parent = true;
  EXPECT_TRUE(RbdExtents(librbd, nullptr, image.facts).usable());
  librbd.minor = 15;
  EXPECT_FALSE(RbdExtents(librbd, nullptr, image.facts).usable());
  image.facts.has_parent = false;
  EXPECT_TRUE(RbdExtents(librbd, nullptr, image.facts).usable());
}

TEST(RbdExtentsTest, AWalkAsksTheObjectMapOnceAndANewWalkAgain) {
  FakeImage image;
  image.facts.size = 40 * kGiB;  // 10240 objects, every other of which is there
  for (std::uint64_t offset = 0; offset < image.facts.size; offset += 8 * kMiB)
    image.extents.push_back({offset, 1});
  const Librbd librbd = image.table();
  RbdExtents extents(librbd, nullptr, image.facts);
  auto first = extents.query(0, image.facts.size);
  ASSERT_TRUE(first);
  EXPECT_LT(first.value().back().end(), image.facts.size) << "an answer is bounded";
  image.queries.clear();
  EXPECT_EQ(walk(extents, image.facts.size), covered(image));
  EXPECT_EQ(image.queries.size(), 1U);
  // Somebody wrote in between.
  image.extents = {{kGiB, 10}};
  EXPECT_EQ(walk(extents, image.facts.size), covered(image));
  EXPECT_EQ(image.queries.size(), 2U);
}

TEST(RbdExtentsTest, WithoutAnObjectMapTheFirstAnswerComesSoon) {
  FakeImage image;
  image.features = 0;
  image.facts.size = 40 * kGiB;  // 10240 objects, all there
  for (std::uint64_t offset = 0; offset < image.facts.size; offset += 4 * kMiB)
    image.extents.push_back({offset, 1});
  const Librbd librbd = image.table();
  RbdExtents extents(librbd, nullptr, image.facts);
  EXPECT_EQ(walk(extents, image.facts.size), covered(image, image.facts.size));
  EXPECT_EQ(image.queries.front().length, 32 * 4 * kMiB);
  EXPECT_EQ(image.queries.size(), 15U) << "32, 64, 128, 256, 512 objects, then 1024 each";
}

TEST(RbdExtentsTest, BeginsInsideAnObject) {
  for (const bool with_map : {true, false}) {
    FakeImage image;
    if (!with_map) image.features = 0;
    image.extents = {{0, 4 * kMiB}, {4 * kMiB, 100}};
    const Librbd librbd = image.table();
    RbdExtents extents(librbd, nullptr, image.facts);
    auto answer = extents.query(kMiB + 1, 8 * kMiB);
    ASSERT_TRUE(answer);
    const std::uint64_t end = with_map ? 8 * kMiB : 4 * kMiB + 100;
    EXPECT_EQ(answer.value(), (std::vector<Extent>{{kMiB + 1, end - kMiB - 1},
                                                   {end, 9 * kMiB + 1 - end, ExtentKind::hole}}));
  }
}

TEST(RbdExtentsTest, WhatWasDiscardedIsAHole) {
  for (const bool with_map : {true, false}) {
    FakeImage image;
    if (!with_map) image.features = 0;
    image.extents = {{0, 4096},
                     {4096, 8192, ExtentKind::hole},
                     {12288, 4096},
                     {8 * kMiB, 4 * kMiB, ExtentKind::hole}};
    const Librbd librbd = image.table();
    RbdExtents extents(librbd, nullptr, image.facts);
    EXPECT_EQ(walk(extents, image.facts.size), covered(image, with_map ? 0 : image.facts.size));
  }
}

TEST(RbdExtentsTest, StripesComeInAnyOrder) {
  FakeImage image;
  image.facts = facts_of(30 * kMiB, kMiB, 3);
  image.extents = {{192 * kKiB, 64 * kKiB},
                   {0, 64 * kKiB},
                   {64 * kKiB, 10},
                   {3 * kMiB + 128 * kKiB, 5},
                   {3 * kMiB, 1}};
  const Librbd librbd = image.table();
  RbdExtents by_map(librbd, nullptr, image.facts);
  EXPECT_EQ(walk(by_map, image.facts.size), covered(image));
  image.features = 0;
  RbdExtents finely(librbd, nullptr, image.facts);
  EXPECT_EQ(walk(finely, image.facts.size), covered(image, image.facts.size));
}

TEST(RbdExtentsTest, AnAnswerIsBoundedWhateverTheImageIsLike) {
  FakeImage image;
  image.features = 0;
  // Pieces of 1 byte: 3000 in the first object, then more than an answer holds in one object.
  for (std::uint64_t i = 0; i < 3000; ++i) image.extents.push_back({i * 2, 1});
  for (std::uint64_t i = 0; i < 5000; ++i) image.extents.push_back({4 * kMiB + i * 2, 1});
  image.extents.push_back({20 * kMiB, 3});
  const Librbd librbd = image.table();
  RbdExtents extents(librbd, nullptr, image.facts);
  const std::vector<Extent> all = walk(extents, image.facts.size);
  // The object with too many pieces counts as data; the rest is exact.
  std::vector<Extent> expected;
  for (std::uint64_t i = 0; i < 3000; ++i) expected.push_back({i * 2, 1});
  expected.push_back({4 * kMiB, 4 * kMiB});
  expected.push_back({20 * kMiB, 3});
  EXPECT_EQ(all, cover_range(expected, 0, image.facts.size, ExtentKind::hole));
}

TEST(RbdExtentsTest, FailuresAreSaid) {
  for (const std::uint64_t features : {std::uint64_t{0}, FakeImage{}.features}) {
    FakeImage image;
    image.features = features;
    image.extents = {{0, 1}};
    image.failure = -EIO;
    const Librbd librbd = image.table();
    RbdExtents extents(librbd, nullptr, image.facts);
    auto answer = extents.query(0, kMiB);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().number, EIO);
    EXPECT_EQ(answer.error().operation, Operation::map);
  }
}

TEST(RbdExtentsTest, AnInterruptEndsTheQueryThatIsUnderWay) {
  for (const std::uint64_t features : {std::uint64_t{0}, FakeImage{}.features}) {
    FakeImage image;
    image.features = features;
    image.extents = {{0, 1}, {4 * kMiB, 1}};
    const Librbd librbd = image.table();
    RbdExtents extents(librbd, nullptr, image.facts);
    image.to_interrupt = &extents;
    auto answer = extents.query(0, image.facts.size);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().number, ECANCELED);
    image.to_interrupt = nullptr;
    EXPECT_EQ(walk(extents, image.facts.size),
              covered(image, features == 0 ? image.facts.size : 0));
  }
}

}  // namespace
}  // namespace blockhaul::test
