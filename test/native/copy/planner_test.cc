#include "copy/planner.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

#include "copy/scripted_source.h"
#include "core/units.h"

namespace blockhaul::test {
namespace {

using Extents = std::vector<Extent>;
constexpr ExtentKind kData = ExtentKind::data;
constexpr ExtentKind kZero = ExtentKind::zero;
constexpr ExtentKind kHole = ExtentKind::hole;
constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
constexpr std::uint64_t kLongestZero = 256 * kMiB;

struct Planned {
  std::uint64_t offset;
  std::uint64_t length;
  bool is_data;
  bool operator==(const Planned&) const = default;
};

void PrintTo(const Planned& piece, std::ostream* out) {
  *out << (piece.is_data ? "data " : "zero ") << piece.offset << "+" << piece.length;
}

std::vector<Planned> plan_from(ScriptedSource& source, std::uint64_t size, std::uint64_t request,
                               std::uint64_t longest_zero = kLongestZero) {
  ExtentAhead extents(source, 0, size, ExtentAhead::Mode::inlined);
  Planner planner(extents, 0, size, request, longest_zero);
  std::vector<Planned> pieces;
  Piece piece;
  Planner::Answer answer = planner.next(piece);
  for (; answer == Planner::Answer::piece; answer = planner.next(piece)) {
    pieces.push_back({piece.offset, piece.length, piece.is_data});
    if (pieces.size() > 100'000) break;
  }
  EXPECT_EQ(answer, Planner::Answer::end);
  return pieces;
}

std::vector<Planned> plan(const Extents& named, std::uint64_t size, std::uint64_t request,
                          std::uint64_t longest_zero = kLongestZero) {
  ScriptedSource source(size, answer_from(named, kAll));
  return plan_from(source, size, request, longest_zero);
}

using Plan = std::vector<Planned>;

TEST(PlannerTest, CutsDataAtRequestBoundaries) {
  EXPECT_EQ(
      plan({}, 3 * kMiB + 5, kMiB),
      (Plan{{0, kMiB, true}, {kMiB, kMiB, true}, {2 * kMiB, kMiB, true}, {3 * kMiB, 5, true}}));
  EXPECT_EQ(plan({}, 1, kMiB), (Plan{{0, 1, true}}));
  EXPECT_EQ(plan({}, kLeaf, kLeaf), (Plan{{0, kLeaf, true}}));
  EXPECT_EQ(plan({}, kLeaf + 1, kLeaf), (Plan{{0, kLeaf, true}, {kLeaf, 1, true}}));
}

TEST(PlannerTest, HasNoPieceForAnEmptyVolume) { EXPECT_EQ(plan({}, 0, kMiB), Plan{}); }

TEST(PlannerTest, GivesAHoleAsOnePieceUpToTheLongest) {
  EXPECT_EQ(plan({{0, 64 * kMiB + 1, kHole}}, 64 * kMiB + 1, kMiB),
            (Plan{{0, 64 * kMiB + 1, false}}));
  EXPECT_EQ(plan({{0, 5 * kMiB, kHole}}, 5 * kMiB, kMiB, 2 * kMiB),
            (Plan{{0, 2 * kMiB, false}, {2 * kMiB, 2 * kMiB, false}, {4 * kMiB, kMiB, false}}));
}

TEST(PlannerTest, TakesMappedZerosForHolesAndJoinsThem) {
  EXPECT_EQ(plan({{0, kMiB, kHole}, {kMiB, kMiB, kZero}, {2 * kMiB, 3, kHole}}, 2 * kMiB + 3, kMiB),
            (Plan{{0, 2 * kMiB + 3, false}}));
}

// An extent that ends inside a leaf makes that leaf data: a byte must not be lost at either edge.
TEST(PlannerTest, KeepsALeafWithAnyDataWhole) {
  const std::uint64_t size = 10 * kLeaf;
  // Data from the last byte of leaf 2 to the first byte of leaf 4.
  const Extents named = {{0, 3 * kLeaf - 1, kHole},
                         {3 * kLeaf - 1, kLeaf + 2, kData},
                         {4 * kLeaf + 1, 6 * kLeaf, kHole}};
  EXPECT_EQ(
      plan(named, size, kMiB),
      (Plan{{0, 2 * kLeaf, false}, {2 * kLeaf, 3 * kLeaf, true}, {5 * kLeaf, 5 * kLeaf, false}}));
  EXPECT_EQ(plan({{0, 5 * kLeaf + 1, kHole}, {5 * kLeaf + 2, size, kHole}}, size, kMiB),
            (Plan{{0, 5 * kLeaf, false}, {5 * kLeaf, kLeaf, true}, {6 * kLeaf, 4 * kLeaf, false}}));
}

TEST(PlannerTest, ReadsOverHolesWithinALeaf) {
  const std::uint64_t size = 4 * kLeaf;
  Extents named;
  for (std::uint64_t at = 0; at < size; at += 8 * kKiB) named.push_back({at, 4 * kKiB, kHole});
  EXPECT_EQ(plan(named, size, kMiB), (Plan{{0, size, true}}));
  // A hole that is longer than a leaf but holds none whole.
  EXPECT_EQ(plan({{kLeaf / 2, kLeaf + 100, kHole}}, size, kMiB), (Plan{{0, size, true}}));
  // One byte more at both ends, and it holds leaf 1.
  EXPECT_EQ(plan({{kLeaf, kLeaf, kHole}}, size, kMiB),
            (Plan{{0, kLeaf, true}, {kLeaf, kLeaf, false}, {2 * kLeaf, 2 * kLeaf, true}}));
  EXPECT_EQ(plan({{kLeaf + 1, kLeaf - 1, kHole}}, size, kMiB), (Plan{{0, size, true}}));
  EXPECT_EQ(plan({{kLeaf, kLeaf - 1, kHole}}, size, kMiB), (Plan{{0, size, true}}));
}

TEST(PlannerTest, EndsWithTheVolumeWhereALeafIsCut) {
  const std::uint64_t size = 2 * kLeaf + 100;
  EXPECT_EQ(plan({{kLeaf, kLeaf + 100, kHole}}, size, kMiB),
            (Plan{{0, kLeaf, true}, {kLeaf, kLeaf + 100, false}}));
  EXPECT_EQ(plan({{0, 2 * kLeaf + 99, kHole}}, size, kMiB),
            (Plan{{0, 2 * kLeaf, false}, {2 * kLeaf, 100, true}}));
  EXPECT_EQ(plan({{0, 2 * kLeaf, kHole}}, size, kMiB),
            (Plan{{0, 2 * kLeaf, false}, {2 * kLeaf, 100, true}}));
}

TEST(PlannerTest, AlternatesLeafByLeaf) {
  const std::uint64_t size = 6 * kLeaf;
  Extents named;
  Plan expected;
  for (std::uint64_t leaf = 0; leaf < 6; ++leaf) {
    if (leaf % 2 == 1) named.push_back({leaf * kLeaf, kLeaf, kHole});
    expected.push_back({leaf * kLeaf, kLeaf, leaf % 2 == 0});
  }
  EXPECT_EQ(plan(named, size, kMiB), expected);
}

// A hole across a request's boundary must not make the data behind it straddle the next one.
TEST(PlannerTest, ReturnsToTheBoundariesBehindAHole) {
  const Extents named = {{kMiB - kLeaf, 3 * kLeaf, kHole}};
  EXPECT_EQ(plan(named, 3 * kMiB, kMiB), (Plan{{0, kMiB - kLeaf, true},
                                               {kMiB - kLeaf, 3 * kLeaf, false},
                                               {kMiB + 2 * kLeaf, kMiB - 2 * kLeaf, true},
                                               {2 * kMiB, kMiB, true}}));
}

TEST(PlannerTest, ReadsAllBehindAQueryThatFails) {
  int queries = 0;
  ScriptedSource source(4 * kMiB, [&](std::uint64_t offset, std::uint64_t) {
    if (++queries == 2) return Result<Extents>(Error{.number = EIO, .operation = Operation::map});
    return Result<Extents>(Extents{{offset, kMiB, kHole}});
  });
  EXPECT_EQ(
      plan_from(source, 4 * kMiB, kMiB),
      (Plan{{0, kMiB, false}, {kMiB, kMiB, true}, {2 * kMiB, kMiB, true}, {3 * kMiB, kMiB, true}}));
  EXPECT_EQ(queries, 2) << "a map that failed is not asked again";
}

TEST(PlannerTest, WaitsWhileTheMapIsAskedElsewhere) {
  ScriptedSource source(kMiB, answer_from({{0, kMiB, kHole}}, kAll));
  ExtentAhead extents(source, 0, kMiB, ExtentAhead::Mode::thread);  // not started
  Planner planner(extents, 0, kMiB, kMiB, kLongestZero);
  Piece piece;
  EXPECT_EQ(planner.next(piece), Planner::Answer::not_yet);
  extents.start([] {});
  while (planner.next(piece) == Planner::Answer::not_yet) {
  }
  EXPECT_EQ(piece.length, kMiB);
  EXPECT_FALSE(piece.is_data);
  EXPECT_EQ(planner.next(piece), Planner::Answer::end);
  EXPECT_EQ(planner.next(piece), Planner::Answer::end);
}

/// A random map, and what is true of each leaf.
struct Model {
  std::uint64_t size = 0;
  Extents extents{};
  std::vector<bool> has_data{};  ///< a leaf
  std::vector<bool> is_split{};  ///< a leaf: an extent ends inside it
};

Model random_model(std::mt19937_64& random) {
  Model model;
  model.size = 1 + random() % (12 * kMiB);
  const std::uint64_t longest = std::uint64_t{1} << (9 + random() % 14);
  const std::uint64_t leaves = divide_up(model.size, kLeaf);
  model.has_data.resize(leaves);
  model.is_split.resize(leaves + 1);
  for (std::uint64_t at = 0; at < model.size;) {
    std::uint64_t length = 1 + random() % longest;
    if (random() % 2 == 0) length = align_up(length, random() % 2 == 0 ? kLeaf : 4 * kKiB);
    length = std::min(length, model.size - at);
    const auto kind = static_cast<ExtentKind>(random() % 3);
    model.extents.push_back({at, length, kind});
    for (std::uint64_t leaf = at / kLeaf; kind == kData && leaf <= (at + length - 1) / kLeaf;
         ++leaf)
      model.has_data[leaf] = true;
    at += length;
    if (at % kLeaf != 0) model.is_split[at / kLeaf] = true;
  }
  return model;
}

void check_plan(const Plan& pieces, const Model& model, std::uint64_t request,
                std::uint64_t longest_zero, bool all_known) {
  std::uint64_t position = 0;
  for (const Planned& piece : pieces) {
    ASSERT_EQ(piece.offset, position) << "a gap or an overlap";
    ASSERT_GT(piece.length, 0U);
    const std::uint64_t end = piece.offset + piece.length;
    ASSERT_TRUE(end % kLeaf == 0 || end == model.size) << "ends inside a leaf at " << end;
    if (piece.is_data) {
      ASSERT_EQ(piece.offset / request, (end - 1) / request) << "straddles a boundary";
    } else {
      ASSERT_LE(piece.length, longest_zero);
    }
    for (std::uint64_t leaf = piece.offset / kLeaf; leaf * kLeaf < end; ++leaf) {
      if (!piece.is_data) {
        ASSERT_FALSE(model.has_data[leaf]) << "leaf " << leaf << " holds data and is not read";
      } else {
        // Reading a hole is allowed only where the map came in parts and was cut inside that leaf.
        const bool cut = !all_known && model.is_split[leaf];
        ASSERT_TRUE(model.has_data[leaf] || cut) << "leaf " << leaf << " is read for nothing";
      }
    }
    position = end;
  }
  ASSERT_EQ(position, model.size);
}

class PlannerPropertyTest : public testing::TestWithParam<int> {};

TEST_P(PlannerPropertyTest, PiecesTileTheVolumeAndCoverAllData) {
  const bool all_known = GetParam() == 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const Model model = random_model(random);
    const std::uint64_t request = kLeaf << (random() % 7);
    const std::uint64_t longest_zero = random() % 2 == 0 ? kLongestZero : request;
    const std::size_t at_a_time = all_known ? kAll : 1 + random() % 5;
    ScriptedSource source(model.size, answer_from(model.extents, at_a_time));
    const Plan pieces = plan_from(source, model.size, request, longest_zero);
    check_plan(pieces, model, request, longest_zero, all_known);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Maps, PlannerPropertyTest, testing::Values(0, 1), [](const auto& info) {
  return info.param == 0 ? "InOneAnswer" : "InManyAnswers";
});

}  // namespace
}  // namespace blockhaul::test
