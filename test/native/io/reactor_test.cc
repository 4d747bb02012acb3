#include "io/reactor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <latch>
#include <mutex>
#include <thread>
#include <vector>

#include "io/reactor_thread.h"
#include "support/reactor_host.h"

namespace blockhaul::test {
namespace {

using std::chrono::milliseconds;

class ReactorTest : public testing::TestWithParam<ReactorKind> {
 protected:
  void SetUp() override {
    if (GetParam() == ReactorKind::uring && !probe_uring())
      GTEST_SKIP() << "no io_uring here: " << probe_uring().error().message;
    auto started = ReactorThread::start(GetParam(), 8);
    ASSERT_TRUE(started) << started.error().message;
    thread_ = std::move(started.value());
  }

  Reactor& reactor() { return thread_->reactor(); }

  std::unique_ptr<ReactorThread> thread_;
};

TEST_P(ReactorTest, SaysItsName) {
  EXPECT_EQ(reactor().name(), GetParam() == ReactorKind::uring ? "io_uring" : "threads");
}

// Catches a queue that loses tasks under contention, a lost wake-up (the test hangs), and tasks of
// one thread in the wrong order.
TEST_P(ReactorTest, RunsTasksOfManyThreadsEachThreadsInOrder) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 2000;
  std::vector<std::vector<int>> seen(kThreads);
  std::latch all(kThreads * kTasks);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kTasks; ++i) {
        post(reactor(), [&, t, i] {
          seen[static_cast<std::size_t>(t)].push_back(i);
          all.count_down();
        });
        if (i % 64 == 0) std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  all.wait();
  for (const auto& numbers : seen) {
    ASSERT_EQ(numbers.size(), static_cast<std::size_t>(kTasks));
    for (int i = 0; i < kTasks; ++i) ASSERT_EQ(numbers[static_cast<std::size_t>(i)], i);
  }
}

// One at a time, with the reactor asleep in between: each post must wake it.
TEST_P(ReactorTest, WakesForEachTask) {
  for (int i = 0; i < 300; ++i) EXPECT_EQ(call(reactor(), [i] { return i; }), i);
}

TEST_P(ReactorTest, RunsTasksOnOneThreadThatIsNotTheCallers) {
  const auto first = call(reactor(), [] { return std::this_thread::get_id(); });
  const auto second = call(reactor(), [] { return std::this_thread::get_id(); });
  EXPECT_EQ(first, second);
  EXPECT_NE(first, std::this_thread::get_id());
}

TEST_P(ReactorTest, RunsATaskThatATaskPosts) {
  std::latch ran(1);
  post(reactor(), [&] { post(reactor(), [&] { ran.count_down(); }); });
  ran.wait();
}

INSTANTIATE_TEST_SUITE_P(Kinds, ReactorTest,
                         testing::Values(ReactorKind::uring, ReactorKind::threads),
                         [](const auto& info) {
                           return info.param == ReactorKind::uring ? "uring" : "threads";
                         });

/// A reactor that this test's own thread runs, for what happens around stop().
class ReactorRunTest : public testing::TestWithParam<ReactorKind> {
 protected:
  void SetUp() override {
    if (GetParam() == ReactorKind::uring && !probe_uring()) GTEST_SKIP() << "no io_uring here";
    auto made = make_reactor(GetParam(), 8);
    ASSERT_TRUE(made);
    reactor_ = std::move(made.value());
  }

  std::unique_ptr<Reactor> reactor_;
};

TEST_P(ReactorRunTest, RunsWhatWasQueuedBeforeStop) {
  int ran = 0;
  for (int i = 0; i < 100; ++i) post(*reactor_, [&] { ++ran; });
  reactor_->stop();
  reactor_->run();
  EXPECT_EQ(ran, 100);
}

// Between its look at the queue and its look at the stop there is room for both to come.
TEST_P(ReactorRunTest, RunsWhatATimerQueuesBeforeItStops) {
  struct Context {
    Reactor& reactor;
    bool ran = false;
  } context{*reactor_};
  Timer timer;
  post(*reactor_, [&] {
    timer.start(
        context.reactor, context.reactor.now() + milliseconds(5),
        [](void* pointer) noexcept {
          auto& self = *static_cast<Context*>(pointer);
          post(self.reactor, [&self] { self.ran = true; });
          self.reactor.stop();
        },
        &context);
  });
  reactor_->run();
  EXPECT_TRUE(context.ran);
}

TEST_P(ReactorRunTest, NeverLosesATaskThatCameBeforeAStop) {
  for (int round = 0; round < 300; ++round) {
    std::atomic<bool> ran{false};
    std::thread other([&] {
      post(*reactor_, [&] { ran = true; });
      reactor_->stop();
    });
    reactor_->run();
    other.join();
    ASSERT_TRUE(ran) << "round " << round;
  }
}

TEST_P(ReactorRunTest, RunsAgainAfterAStop) {
  for (int round = 0; round < 3; ++round) {
    bool ran = false;
    post(*reactor_, [&] {
      ran = true;
      reactor_->stop();
    });
    reactor_->run();
    EXPECT_TRUE(ran);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, ReactorRunTest,
                         testing::Values(ReactorKind::uring, ReactorKind::threads),
                         [](const auto& info) {
                           return info.param == ReactorKind::uring ? "uring" : "threads";
                         });

/// A reactor that waits on a condition, and whose wake() can be held up.
class SlowToWake final : public Reactor {
 public:
  void submit(FileOperation&) override {}
  [[nodiscard]] std::string_view name() const override { return "slow to wake"; }

  std::atomic<bool> waking_{false};
  std::atomic<bool> woken_up_{false};

 protected:
  void wait(const Clock::time_point* deadline) override {
    std::unique_lock lock(mutex_);
    const auto woken = [this] { return std::exchange(woken_, false); };
    if (deadline == nullptr) {
      changed_.wait(lock, woken);
    } else {
      changed_.wait_until(lock, *deadline, woken);
    }
  }
  void wake() override {
    const bool hold = !waking_.exchange(true);
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
    }
    changed_.notify_one();
    if (!hold) return;
    std::this_thread::sleep_for(milliseconds(50));
    woken_up_ = true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
};

// librbd's threads, and JavaScript's, post the last completion of a copy. The task may run and end
// everything while its poster is still inside post(): the reactor must not go away under it.
TEST(ReactorLifeTest, OutlivesThoseWhoPostToIt) {
  auto reactor = std::make_unique<SlowToWake>();
  std::thread poster([&reactor = *reactor] { post(reactor, [&reactor] { reactor.stop(); }); });
  reactor->run();
  EXPECT_TRUE(reactor->woken_up_) << "run() came back while post() was still at work";
  poster.join();
}

}  // namespace
}  // namespace blockhaul::test
