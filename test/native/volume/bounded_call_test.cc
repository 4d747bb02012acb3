#include "volume/bounded_call.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

namespace blockhaul::test {
namespace {

using std::chrono::seconds;

void never(Result<int>) { ADD_FAILURE() << "nothing was late"; }

TEST(BoundedCallTest, GivesWhatTheCallGives) {
  for (const seconds limit : {seconds(0), seconds(60)}) {
    auto result = call_within<int>(
        limit, [] { return Result<int>(7); }, never);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->value(), 7);
    result = call_within<int>(
        limit, [] { return Result<int>(Error{.number = EIO, .message = "no"}); }, never);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->error().number, EIO);
  }
}

TEST(BoundedCallTest, GivesUpInTimeAndDiscardsWhatComesLate) {
  std::promise<void> go_on;
  std::promise<int> discarded;
  const auto result = call_within<int>(
      seconds(1),
      [wait = go_on.get_future().share()] {
        wait.wait();
        return Result<int>(9);
      },
      [&discarded](Result<int> late) { discarded.set_value(late.value()); });
  EXPECT_FALSE(result.has_value());
  go_on.set_value();
  EXPECT_EQ(discarded.get_future().get(), 9);
}

TEST(BoundedCallTest, WaitsForWhatGetsOnHoweverLongItTakes) {
  const auto pulse = std::make_shared<Pulse>();
  const auto begin = std::chrono::steady_clock::now();
  const auto result = call_within<int>(
      seconds(1),
      [pulse] {
        for (int part = 0; part < 5; ++part) {
          std::this_thread::sleep_for(std::chrono::milliseconds(500));
          pulse->beat();
        }
        return Result<int>(7);
      },
      never, pulse);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->value(), 7);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, seconds(2));
}

TEST(BoundedCallTest, GivesUpWhatDoesNotGetOnAnyMore) {
  const auto pulse = std::make_shared<Pulse>();
  std::promise<void> go_on;
  std::promise<int> discarded;
  const auto result = call_within<int>(
      seconds(1),
      [pulse, wait = go_on.get_future().share()] {
        pulse->beat();
        wait.wait();
        return Result<int>(pulse->is_given_up() ? 9 : 0);
      },
      [&discarded](Result<int> late) { discarded.set_value(late.value()); }, pulse);
  EXPECT_FALSE(result.has_value());
  go_on.set_value();
  EXPECT_EQ(discarded.get_future().get(), 9);
}

}  // namespace
}  // namespace blockhaul::test
