// How much is in flight, on how many reactors, how fast: none of it may change what comes out.

#include "copy/copy_fixture.h"

namespace blockhaul::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Ends {
  MemoryVolumeOptions source{};
  MemoryVolumeOptions target{};
};

Ends ends_for(const Content& content, std::uint64_t seed) {
  Ends ends;
  ends.source = {.size = content.bytes.size(), .extents = content.extents, .seed = seed};
  ends.target = {.size = content.bytes.size(), .seed = seed + 1};
  return ends;
}

std::vector<LoggedRequest> sorted(std::vector<LoggedRequest> log) {
  std::sort(log.begin(), log.end(), [](const LoggedRequest& one, const LoggedRequest& other) {
    return std::tuple(one.operation, one.offset) < std::tuple(other.operation, other.offset);
  });
  return log;
}

TEST(CopyWindowTest, LanesAndWindowsChangeNothingButTheOrder) {
  const Content content = varied_content();
  std::vector<LoggedRequest> reads;
  std::vector<LoggedRequest> writes;
  for (const std::uint32_t lanes : {1U, 2U, 3U, 4U}) {
    for (const std::uint32_t requests : {1U, 4U, 64U}) {
      for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        SCOPED_TRACE(std::to_string(lanes) + " lanes, " + std::to_string(requests) +
                     " requests, seed " + std::to_string(seed));
        const Ends ends = ends_for(content, seed);
        CopyStage one(content, ends.source, ends.target,
                      {.request_size = 64 * kKiB, .requests = requests, .lanes = lanes}, seed);
        one.check_success(content, one.copy->run());
        if (reads.empty()) {
          reads = sorted(one.source.log());
          writes = sorted(one.target.log());
        }
        EXPECT_EQ(sorted(one.source.log()), reads);
        EXPECT_EQ(sorted(one.target.log()), writes);
      }
    }
  }
}

TEST(CopyWindowTest, TheDigestIsTheSameForAllRequestSizesAndLanes) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 2; ++round) {
    const Content content = random_content(4 * kMiB + random() % (2 * kMiB), random);
    for (const DigestKind kind : {DigestKind::xxh3, DigestKind::sha256}) {
      for (std::uint64_t request = kLeaf; request <= kChunk; request *= 4) {
        for (const std::uint32_t lanes : {1U, 3U}) {
          const Ends ends = ends_for(content, random());
          CopyStage one(content, ends.source, ends.target,
                        {.request_size = request,
                         .requests = 8,
                         .lanes = lanes,
                         .use_extents = random() % 2 == 0,
                         .digest = kind},
                        random());
          one.check_success(content, one.copy->run());
        }
      }
    }
  }
}

TEST(CopyWindowTest, WithoutADigestThereIsNone) {
  const Content content = varied_content();
  const Ends ends = ends_for(content, 1);
  CopyStage one(content, ends.source, ends.target, {.digest = DigestKind::none}, 1);
  const CopyRun run = one.copy->run();
  one.check_success(content, run);
  EXPECT_EQ(run.outcome.digest, "");
}

// The same seed, the same story: without this, a printed seed would be worth nothing.
TEST(CopyWindowTest, TheSameSeedGivesTheSameOrder) {
  const Content content = varied_content();
  const auto log_of = [&](std::uint64_t seed) {
    const Ends ends = ends_for(content, seed);
    CopyStage one(content, ends.source, ends.target,
                  {.request_size = 64 * kKiB, .requests = 12, .lanes = 3}, seed);
    one.check_success(content, one.copy->run());
    auto log = one.source.log();
    const auto more = one.target.log();
    log.insert(log.end(), more.begin(), more.end());
    return log;
  };
  EXPECT_EQ(log_of(42), log_of(42));
  EXPECT_NE(log_of(42), log_of(43));
}

/// Much data, slow ends: the window fills.
struct Full {
  explicit Full(const CopyOptions& options)
      : content(content_of(8 * kMiB, {{0, 8 * kMiB, ExtentKind::data}}, 1)),
        ends(ends_for(content, 1)),
        stage((ends.source.shortest_delay = ends.target.shortest_delay = milliseconds(1),
               ends.source.longest_delay = ends.target.longest_delay = milliseconds(2), content),
              ends.source, ends.target, options, 1) {}
  Content content;
  Ends ends;
  CopyStage stage;
};

TEST(CopyWindowTest, SoManyRequestsAreInFlightAsWereAskedFor) {
  for (const std::uint32_t lanes : {1U, 2U, 4U}) {
    for (const std::uint32_t requests : {1U, 4U, 5U, 7U, 8U, 20U}) {
      if (requests < lanes) continue;
      Full full({.request_size = 128 * kKiB, .requests = requests, .lanes = lanes});
      std::size_t most = 0;
      const auto count = [&](const LoggedRequest&) {
        // The one that completes is no longer among them.
        most = std::max(most, 1 + full.stage.source.in_flight() + full.stage.target.in_flight());
      };
      full.stage.source.on_complete(count);
      full.stage.target.on_complete(count);
      full.stage.check_success(full.content, full.stage.copy->run());
      EXPECT_EQ(most, requests) << lanes << " lanes";
      EXPECT_EQ(full.stage.source.most_in_flight(), requests) << lanes << " lanes";
    }
  }
}

TEST(CopyWindowTest, NoMoreMemoryIsUsedThanWasAllowed) {
  for (const std::uint32_t lanes : {1U, 2U}) {
    Full full({.request_size = kMiB, .requests = 64, .memory = 4 * kMiB, .lanes = lanes});
    std::uint64_t most = 0;
    const auto count = [&](const LoggedRequest&) {
      most = std::max(most, 1 + full.stage.source.in_flight() + full.stage.target.in_flight());
    };
    full.stage.source.on_complete(count);
    full.stage.target.on_complete(count);
    full.stage.check_success(full.content, full.stage.copy->run());
    EXPECT_EQ(most * kMiB, 4 * kMiB) << lanes << " lanes";
  }
  // Less memory than a request: one buffer, one after the other.
  Full tight({.request_size = 4 * kMiB, .requests = 64, .memory = kMiB});
  tight.stage.check_success(tight.content, tight.stage.copy->run());
  EXPECT_EQ(tight.stage.source.most_in_flight(), 1U);
}

// Reads and writes overlap: a copy that waits between them would take the sum of both.
TEST(CopyWindowTest, ReadsAndWritesOverlap) {
  Full full({.request_size = 256 * kKiB, .requests = 8});
  const CopyRun run = full.stage.copy->run();
  full.stage.check_success(full.content, run);
  // 32 pieces of 2 to 4 ms each, 8 at a time.
  EXPECT_LT(run.took, 32 * milliseconds(4) / 8 + milliseconds(8));
  EXPECT_GT(run.took, 32 * milliseconds(2) / 8);
}

/// Keeps the one read that it is asked for, and tells at once that it came.
class KeepingSource final : public Volume {
 public:
  explicit KeepingSource(std::uint64_t size) { info_.size = size; }

  [[nodiscard]] const VolumeInfo& info() const override { return info_; }
  void submit(Reactor& reactor, Request& request) override {
    reactor_ = &reactor;
    kept_ = &request;
    on_read();
  }
  [[nodiscard]] bool keeps() const { return kept_ != nullptr; }
  void fail() { complete_later(*reactor_, *kept_, EIO); }

  std::function<void()> on_read{};

 private:
  VolumeInfo info_{};
  Reactor* reactor_ = nullptr;
  Request* kept_ = nullptr;
};

// Whoever wakes a lane that is just looking for work may have come a moment too late for that look.
// A lane with nothing in flight would never look again.
TEST(CopyWindowTest, AWakeUpOfALaneThatIsAtWorkMakesItLookAgain) {
  Simulation world(1);
  KeepingSource source(kLeaf);
  MemoryVolume target({.size = kLeaf});
  SimulatedCopy copy(world, source, target, {.size = kLeaf, .request_size = kLeaf});
  source.on_read = [&] { copy.job().set_bandwidth_limit(0); };
  copy.start();
  ASSERT_TRUE(copy.run_until([&] { return source.keeps(); }));
  EXPECT_TRUE(world.step()) << "the wake-up is lost";
  EXPECT_FALSE(world.step()) << "nothing else is left to do";
  source.fail();
  ASSERT_TRUE(world.run_to_rest());
  const CopyRun run = copy.finish();
  ASSERT_TRUE(run.ended);
  EXPECT_EQ(run.outcome.error->number, EIO);
}

class BandwidthTest : public testing::TestWithParam<std::uint32_t> {
 protected:
  static constexpr std::uint64_t kPiece = 64 * kKiB;

  /// 32 pieces of data and a hole.
  const Content content_ = content_of(64 * kPiece, {{0, 32 * kPiece, ExtentKind::data}}, 1);

  [[nodiscard]] CopyStage stage(std::uint64_t bandwidth) const {
    const Ends ends = ends_for(content_, 1);
    return {
        content_,
        ends.source,
        ends.target,
        {.request_size = kPiece, .requests = 8, .lanes = GetParam(), .bandwidth_limit = bandwidth},
        1};
  }
};

// The first piece begins at once, so 31 of 32 wait for their time; holes take none.
TEST_P(BandwidthTest, TakesTheTimeThatTheLimitSays) {
  CopyStage one = stage(kPiece);
  const CopyRun run = one.copy->run();
  one.check_success(content_, run);
  EXPECT_GE(run.took, seconds(31));
  EXPECT_LT(run.took, seconds(31) + milliseconds(10));
}

TEST_P(BandwidthTest, TakesNoTimeWithoutALimit) {
  CopyStage one = stage(0);
  const CopyRun run = one.copy->run();
  one.check_success(content_, run);
  EXPECT_LT(run.took, milliseconds(10));
}

TEST_P(BandwidthTest, CanBeChangedOnTheWay) {
  CopyStage one = stage(kPiece);
  one.world.call_at(milliseconds(9'500), [&] { one.copy->job().set_bandwidth_limit(4 * kPiece); });
  const CopyRun run = one.copy->run();
  one.check_success(content_, run);
  // 10 pieces went by; the next begins at once, and each of the others a quarter of a second later.
  const auto expected = milliseconds(9'500) + 21 * milliseconds(250);
  EXPECT_GE(run.took, expected);
  EXPECT_LT(run.took, expected + milliseconds(10));
}

// What was already waiting for its time by the old limit must not go on waiting for it.
TEST_P(BandwidthTest, ALimitThatIsLiftedHoldsNothingUp) {
  CopyStage one = stage(1);  // 18 hours a piece
  one.world.call_at(seconds(1), [&] { one.copy->job().set_bandwidth_limit(0); });
  const CopyRun run = one.copy->run();
  one.check_success(content_, run);
  EXPECT_GE(run.took, seconds(1));
  EXPECT_LT(run.took, seconds(1) + milliseconds(10)) << "pieces wait by the old limit";
}

TEST_P(BandwidthTest, CanBeSetWhereThereWasNone) {
  CopyStage one = stage(0);
  one.source.on_complete([&, reads = 0](const LoggedRequest&) mutable {
    if (++reads == 1) one.copy->job().set_bandwidth_limit(kPiece);
  });
  const CopyRun run = one.copy->run();
  one.check_success(content_, run);
  // At most the window was under way.
  EXPECT_GE(run.took, seconds(31 - 9));
}

INSTANTIATE_TEST_SUITE_P(Lanes, BandwidthTest, testing::Values(1U, 3U),
                         [](const auto& info) { return std::to_string(info.param); });

// A proof that a target is zero holds until something is written: a second copy onto the same open
// volume must not skip the zeros that the first one covered with data.
TEST(CopyTwiceTest, TheSecondCopyOverwritesAllOfTheFirst) {
  Simulation world(1);
  const std::size_t size = kMiB;
  MemoryVolume target({.size = size, .zero_state = ZeroState::proven_zero});
  for (const Content& content :
       {content_of(size, {{0, size, ExtentKind::data}}, 1), content_of(size, {}, 2),
        alternating(size, kLeaf, 3), alternating(size, 4096, 4)}) {
    MemoryVolume source({.size = size, .extents = content.extents});
    source.bytes() = content.bytes;
    const CopyRun run = run_copy(world, source, target, {.size = size, .request_size = kLeaf});
    ASSERT_TRUE(run.ended);
    EXPECT_FALSE(run.outcome.error);
    EXPECT_EQ(difference(content.bytes, target.bytes()), "");
  }
}

}  // namespace
}  // namespace blockhaul::test
