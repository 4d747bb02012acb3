#include "copy/rate_limit.h"

#include <gtest/gtest.h>

namespace blockhaul::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Clock::time_point kNow{std::chrono::hours(5)};

TEST(RateLimitTest, WithoutALimitAllBeginsAtOnce) {
  RateLimit limit(0);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(limit.reserve(1'000'000, kNow), kNow);
}

TEST(RateLimitTest, SpreadsWhatIsReserved) {
  RateLimit limit(1000);
  EXPECT_EQ(limit.reserve(500, kNow), kNow);
  EXPECT_EQ(limit.reserve(2000, kNow), kNow + milliseconds(500));
  EXPECT_EQ(limit.reserve(1, kNow), kNow + milliseconds(2500));
}

TEST(RateLimitTest, DoesNotSaveUpWhatWasNotUsed) {
  RateLimit limit(1000);
  EXPECT_EQ(limit.reserve(1000, kNow), kNow);
  EXPECT_EQ(limit.reserve(1000, kNow + seconds(10)), kNow + seconds(10));
  EXPECT_EQ(limit.reserve(1000, kNow + seconds(10)), kNow + seconds(11));
}

TEST(RateLimitTest, CountsFromAChangeOn) {
  RateLimit limit(1);
  EXPECT_EQ(limit.reserve(1'000'000, kNow), kNow);
  limit.set(1000);
  EXPECT_EQ(limit.reserve(1000, kNow), kNow);
  EXPECT_EQ(limit.reserve(1000, kNow), kNow + seconds(1));
  limit.set(0);
  EXPECT_EQ(limit.reserve(1000, kNow), kNow);
}

}  // namespace
}  // namespace blockhaul::test
