#include "copy/extent_ahead.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <latch>
#include <mutex>
#include <thread>

#include "copy/scripted_source.h"
#include "core/units.h"

namespace blockhaul::test {
namespace {

using Extents = std::vector<Extent>;
constexpr ExtentKind kData = ExtentKind::data;
constexpr ExtentKind kHole = ExtentKind::hole;

Extents take_all(ExtentAhead& ahead) {
  std::deque<Extent> taken;
  while (ahead.take(taken)) {
  }
  Extents joined;
  for (const Extent& extent : taken) append_extent(joined, extent);
  return joined;
}

class MalformedMapTest : public testing::TestWithParam<std::pair<const char*, Extents>> {};

// A driver's map is somebody else's code: what makes no sense must lead to reading everything,
// never to a gap that is not copied.
TEST_P(MalformedMapTest, CountsAsAFailureAndAllIsData) {
  for (const ExtentAhead::Mode mode : {ExtentAhead::Mode::inlined, ExtentAhead::Mode::thread}) {
    ScriptedSource source(
        100, [&](std::uint64_t, std::uint64_t) { return Result<Extents>(GetParam().second); });
    ExtentAhead ahead(source, 0, 100, mode);
    ahead.start([] {});
    EXPECT_EQ(take_all(ahead), (Extents{{0, 100, kData}}));
    EXPECT_EQ(ahead.failures(), 1U);
  }
}

constexpr std::uint64_t kMost = ~std::uint64_t{0};

INSTANTIATE_TEST_SUITE_P(
    Answers, MalformedMapTest,
    testing::Values(std::pair{"Empty", Extents{}}, std::pair{"BeginsLate", Extents{{1, 99, kHole}}},
                    std::pair{"HasAGap", Extents{{0, 10, kHole}, {20, 80, kHole}}},
                    std::pair{"Overlaps", Extents{{0, 50, kHole}, {40, 60, kHole}}},
                    std::pair{"IsDescending", Extents{{50, 50, kHole}, {0, 50, kHole}}},
                    std::pair{"LeavesTheVolume", Extents{{0, 101, kHole}}},
                    std::pair{"HasAnEmptyExtent", Extents{{0, 0, kHole}, {0, 100, kHole}}},
                    std::pair{"Overflows", Extents{{0, 50, kHole}, {50, kMost - 20, kHole}}}),
    [](const auto& info) { return std::string(info.param.first); });

TEST(ExtentAheadTest, KeepsWhatWasAnsweredBeforeAFailure) {
  ScriptedSource source(100, [](std::uint64_t offset, std::uint64_t) {
    if (offset >= 30) return Result<Extents>(Error{.number = EIO, .operation = Operation::map});
    return Result<Extents>(Extents{{offset, 10, kHole}});
  });
  ExtentAhead ahead(source, 0, 100, ExtentAhead::Mode::inlined);
  EXPECT_EQ(take_all(ahead), (Extents{{0, 30, kHole}, {30, 70, kData}}));
  EXPECT_EQ(ahead.failures(), 1U);
}

TEST(ExtentAheadTest, AsksNobodyInWholeMode) {
  ScriptedSource source(100, [](std::uint64_t, std::uint64_t) -> Result<Extents> {
    ADD_FAILURE() << "was asked";
    return Extents{};
  });
  ExtentAhead ahead(source, 0, 100, ExtentAhead::Mode::whole);
  ahead.start([] {});
  EXPECT_EQ(take_all(ahead), (Extents{{0, 100, kData}}));
  EXPECT_EQ(ahead.failures(), 0U);
}

TEST(ExtentAheadTest, AsksForNothingOfAnEmptyVolume) {
  for (const ExtentAhead::Mode mode :
       {ExtentAhead::Mode::whole, ExtentAhead::Mode::inlined, ExtentAhead::Mode::thread}) {
    ScriptedSource source(0, [](std::uint64_t, std::uint64_t) -> Result<Extents> {
      ADD_FAILURE() << "was asked";
      return Extents{};
    });
    ExtentAhead ahead(source, 0, 0, mode);
    ahead.start([] {});
    EXPECT_EQ(take_all(ahead), Extents{});
  }
}

TEST(ExtentAheadTest, AsksOnlyForTheSizeThatIsCopied) {
  // The source is larger than what is copied of it.
  ScriptedSource source(1000, answer_from({{0, 1000, kHole}}, 10));
  ExtentAhead ahead(source, 0, 100, ExtentAhead::Mode::inlined);
  EXPECT_EQ(take_all(ahead), (Extents{{0, 100, kHole}}));
  EXPECT_EQ(ahead.failures(), 0U);
}

// 64 TiB in extents of 4 KiB: what is known ahead stays bounded, and goes on once it is taken.
TEST(ExtentAheadTest, DoesNotRunAheadWithoutEnd) {
  std::atomic<std::uint64_t> asked{0};
  ScriptedSource source(64 * 1024 * kGiB, [&](std::uint64_t offset, std::uint64_t) {
    ++asked;
    return Result<Extents>(Extents{{offset, 4096, kData}});
  });
  ExtentAhead ahead(source, 0, 64 * 1024 * kGiB, ExtentAhead::Mode::thread);
  std::mutex mutex;
  std::condition_variable changed;
  ahead.start([&] {
    const std::lock_guard lock(mutex);
    changed.notify_one();
  });
  const auto comes_to = [&](std::uint64_t count) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(20), [&] { return asked >= count; });
  };
  constexpr std::uint64_t kLimit = 8192;
  ASSERT_TRUE(comes_to(kLimit));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_LE(asked, kLimit + 1);
  std::deque<Extent> taken;
  EXPECT_TRUE(ahead.take(taken));
  EXPECT_GE(taken.size(), kLimit);
  ASSERT_TRUE(comes_to(2 * kLimit));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_LE(asked, 2 * kLimit + 2);
  ahead.stop();
}

TEST(ExtentAheadTest, SaysEachTimeThatThereIsMore) {
  std::atomic<int> said{0};
  ScriptedSource source(100, answer_from({{0, 50, kHole}}, 1));
  ExtentAhead ahead(source, 0, 100, ExtentAhead::Mode::thread);
  ahead.start([&] { ++said; });
  EXPECT_EQ(take_all(ahead), (Extents{{0, 50, kHole}, {50, 50, kData}}));
  ahead.stop();
  EXPECT_EQ(said, 2);
}

TEST(ExtentAheadTest, BeginsNoQueryAfterAStop) {
  std::atomic<int> asked{0};
  ScriptedSource source(100, [&](std::uint64_t offset, std::uint64_t) {
    ++asked;
    return Result<Extents>(Extents{{offset, 1, kData}});
  });
  ExtentAhead ahead(source, 0, 100, ExtentAhead::Mode::thread);
  ahead.request_stop();
  ahead.start([] {});
  ahead.stop();
  EXPECT_EQ(asked, 0);
}

// Several copies may read one volume, and its interrupt() reaches the queries of all of them.
TEST(ExtentAheadTest, AsksAgainWhereTheQueryOfSomebodyElseWasToBeInterrupted) {
  for (const ExtentAhead::Mode mode : {ExtentAhead::Mode::inlined, ExtentAhead::Mode::thread}) {
    std::atomic<int> asked{0};
    ScriptedSource source(100, [&](std::uint64_t, std::uint64_t) -> Result<Extents> {
      if (++asked < 4) return Error{.number = ECANCELED, .operation = Operation::map};
      return Extents{{0, 100, kHole}};
    });
    ExtentAhead ahead(source, 0, 100, mode);
    ahead.start([] {});
    EXPECT_EQ(take_all(ahead), (Extents{{0, 100, kHole}}));
    EXPECT_EQ(ahead.failures(), 0U);
  }
}

TEST(ExtentAheadTest, InterruptsNobodyOnceItsOwnQueryIsAnswered) {
  ScriptedSource source(100, answer_from({{0, 100, kHole}}, 1));
  ExtentAhead ahead(source, 0, 100, ExtentAhead::Mode::thread);
  std::thread stopping;
  std::latch started(1);
  std::latch begun(1);
  // The copy ends by what this very answer brought, before the asker has looked for more to do.
  ahead.start([&] {
    started.wait();
    stopping = std::thread([&] { ahead.stop(); });
    begun.count_down();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  });
  started.count_down();
  begun.wait();
  stopping.join();
  EXPECT_EQ(source.interrupts, 0);
}

}  // namespace
}  // namespace blockhaul::test
