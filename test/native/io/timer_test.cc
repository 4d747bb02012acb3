#include <gtest/gtest.h>

#include <latch>
#include <vector>

#include "io/reactor_thread.h"
#include "support/reactor_host.h"

namespace blockhaul::test {
namespace {

using std::chrono::milliseconds;

class TimerTest : public testing::TestWithParam<ReactorKind> {
 protected:
  void SetUp() override {
    if (GetParam() == ReactorKind::uring && !probe_uring()) GTEST_SKIP() << "no io_uring here";
    auto started = ReactorThread::start(GetParam(), 8);
    ASSERT_TRUE(started) << started.error().message;
    thread_ = std::move(started.value());
  }

  Reactor& reactor() { return thread_->reactor(); }

  std::unique_ptr<ReactorThread> thread_;
};

/// A timer that notes when it expired.
struct Noting {
  Timer timer{};
  int number = 0;
  std::vector<int>* order = nullptr;
  std::latch* left = nullptr;
  Clock::time_point expired{};

  void start(Reactor& reactor, Clock::time_point deadline) {
    timer.start(
        reactor, deadline,
        [](void* context) noexcept {
          auto& self = *static_cast<Noting*>(context);
          self.expired = Clock::now();
          self.order->push_back(self.number);
          self.left->count_down();
        },
        this);
  }
};

TEST_P(TimerTest, ExpireInTheOrderOfTheirDeadlinesAndNeverEarly) {
  // Two of them close to each other: the second is not due yet when the first one is.
  constexpr int kDelays[] = {30, 10, 20, 0, -5, 14};
  std::vector<int> order;
  std::latch left(std::size(kDelays));
  std::vector<Noting> timers(std::size(kDelays));
  const Clock::time_point begin = Clock::now();
  call(reactor(), [&] {
    for (std::size_t i = 0; i < timers.size(); ++i) {
      timers[i].number = kDelays[i];
      timers[i].order = &order;
      timers[i].left = &left;
      timers[i].start(reactor(), begin + milliseconds(kDelays[i]));
    }
    return 0;
  });
  left.wait();
  EXPECT_EQ(order, (std::vector<int>{-5, 0, 10, 14, 20, 30}));
  for (const Noting& timer : timers)
    EXPECT_GE(timer.expired, begin + milliseconds(timer.number)) << timer.number;
}

TEST_P(TimerTest, DoesNotExpireOnceStoppedOrDestroyed) {
  std::vector<int> order;
  std::latch left(1);
  Noting stopped{.number = 1, .order = &order, .left = &left};
  Noting kept{.number = 2, .order = &order, .left = &left};
  call(reactor(), [&] {
    stopped.start(reactor(), Clock::now() + milliseconds(5));
    EXPECT_TRUE(stopped.timer.running());
    {
      Noting destroyed{.number = 3, .order = &order, .left = &left};
      destroyed.start(reactor(), Clock::now() + milliseconds(5));
    }
    kept.start(reactor(), Clock::now() + milliseconds(20));
    stopped.timer.stop();
    EXPECT_FALSE(stopped.timer.running());
    stopped.timer.stop();
    return 0;
  });
  left.wait();
  EXPECT_EQ(order, std::vector<int>{2});
  EXPECT_FALSE(call(reactor(), [&] { return kept.timer.running(); }));
}

TEST_P(TimerTest, CountsOnlyTheLastStart) {
  std::vector<int> order;
  std::latch left(1);
  Noting again{.number = 1, .order = &order, .left = &left};
  const Clock::time_point begin = Clock::now();
  call(reactor(), [&] {
    again.start(reactor(), begin + milliseconds(2));
    again.start(reactor(), begin + milliseconds(20));
    return 0;
  });
  left.wait();
  EXPECT_GE(again.expired, begin + milliseconds(20));
  EXPECT_EQ(order, std::vector<int>{1});
}

TEST_P(TimerTest, StartsAgainFromItsOwnCallback) {
  struct Repeating {
    Timer timer{};
    Reactor* reactor = nullptr;
    int left = 5;
    std::latch ended{1};
    static void expired(void* context) noexcept {
      auto& self = *static_cast<Repeating*>(context);
      EXPECT_FALSE(self.timer.running());
      if (--self.left == 0) return self.ended.count_down();
      self.timer.start(*self.reactor, Clock::now() + milliseconds(1), expired, context);
    }
  } repeating;
  repeating.reactor = &reactor();
  call(reactor(), [&] {
    repeating.timer.start(reactor(), Clock::now(), Repeating::expired, &repeating);
    return 0;
  });
  repeating.ended.wait();
  EXPECT_EQ(call(reactor(), [&] { return repeating.left; }), 0);
}

TEST_P(TimerTest, MayStopAnotherThatIsDueAsWell) {
  struct Pair {
    Timer first{};
    Timer second{};
    bool second_expired = false;
    std::latch ended{1};
  } pair;
  call(reactor(), [&] {
    const Clock::time_point moment = Clock::now();
    pair.first.start(
        reactor(), moment,
        [](void* context) noexcept {
          auto& self = *static_cast<Pair*>(context);
          self.second.stop();
          self.ended.count_down();
        },
        &pair);
    pair.second.start(
        reactor(), moment,
        [](void* context) noexcept { static_cast<Pair*>(context)->second_expired = true; }, &pair);
    return 0;
  });
  pair.ended.wait();
  EXPECT_FALSE(call(reactor(), [&] { return pair.second_expired; }));
}

// The wait for a timer must end for a task.
TEST_P(TimerTest, DoesNotHoldUpTasks) {
  Timer distant;
  call(reactor(), [&] {
    distant.start(
        reactor(), Clock::now() + std::chrono::hours(1), [](void*) noexcept {}, nullptr);
    return 0;
  });
  const Clock::time_point begin = Clock::now();
  for (int i = 0; i < 50; ++i) call(reactor(), [] { return 0; });
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(30));
  call(reactor(), [&] {
    distant.stop();
    return 0;
  });
}

// Deadlines that pass while the reactor makes ready to wait for them: however short what is left,
// it is no negative time that the kernel would refuse.
TEST_P(TimerTest, TakesDeadlinesOfAnyNearness) {
  struct Series {
    Timer timer{};
    Reactor* reactor = nullptr;
    int left = 3000;
    std::latch ended{1};
    static void expired(void* context) noexcept {
      auto& self = *static_cast<Series*>(context);
      if (--self.left == 0) return self.ended.count_down();
      const auto soon = std::chrono::nanoseconds(self.left % 4000);
      self.timer.start(*self.reactor, Clock::now() + soon, expired, context);
    }
  } series;
  series.reactor = &reactor();
  call(reactor(), [&] {
    series.timer.start(reactor(), Clock::now(), Series::expired, &series);
    return 0;
  });
  series.ended.wait();
}

INSTANTIATE_TEST_SUITE_P(Kinds, TimerTest,
                         testing::Values(ReactorKind::uring, ReactorKind::threads),
                         [](const auto& info) {
                           return info.param == ReactorKind::uring ? "uring" : "threads";
                         });

TEST(TimerLifeTest, MayOutliveItsReactor) {
  Timer timer;
  {
    auto reactor = make_reactor(ReactorKind::threads, 1);
    ASSERT_TRUE(reactor);
    timer.start(
        *reactor.value(), Clock::now(), [](void*) noexcept {}, nullptr);
    EXPECT_TRUE(timer.running());
  }
  EXPECT_FALSE(timer.running());
  timer.stop();
}

}  // namespace
}  // namespace blockhaul::test
