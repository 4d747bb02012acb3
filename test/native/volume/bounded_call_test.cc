#include "volume/bounded_call.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

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

}  // namespace
}  // namespace blockhaul::test
