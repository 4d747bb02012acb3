#include "io/undumpable.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdlib>
#include <cstring>
#include <optional>

#include "io/environment_secret.h"

namespace blockhaul::test {
namespace {

bool is_dumpable() { return ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1; }

rlim_t core_limit() {
  rlimit limit{};
  EXPECT_EQ(::getrlimit(RLIMIT_CORE, &limit), 0);
  return limit.rlim_cur;
}

class UndumpableTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_dumpable()) GTEST_SKIP() << "a cluster of another test's is still connected";
    ASSERT_EQ(::getrlimit(RLIMIT_CORE, &before_), 0);
    rlimit some = before_;
    some.rlim_cur = some.rlim_max == RLIM_INFINITY ? 4096 : some.rlim_max;
    ASSERT_EQ(::setrlimit(RLIMIT_CORE, &some), 0);
    limit_ = some.rlim_cur;
  }
  void TearDown() override {
    if (limit_ != 0) ::setrlimit(RLIMIT_CORE, &before_);
  }

  rlimit before_{};
  rlim_t limit_ = 0;
};

TEST_F(UndumpableTest, LastsAsLongAsTheLastOfThem) {
  ASSERT_TRUE(is_dumpable());
  std::optional<Undumpable> one(std::in_place);
  EXPECT_FALSE(is_dumpable());
  EXPECT_EQ(core_limit(), 0U);
  {
    const Undumpable other;
    one.reset();
    EXPECT_FALSE(is_dumpable());
    EXPECT_EQ(core_limit(), 0U);
  }
  EXPECT_TRUE(is_dumpable());
  EXPECT_EQ(core_limit(), limit_);
}

TEST_F(UndumpableTest, LeavesAProcessThatWasUndumpableBefore) {
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  { const Undumpable one; }
  EXPECT_FALSE(is_dumpable());
  ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  EXPECT_TRUE(is_dumpable());
}

TEST(EnvironmentSecretTest, IsTakenOnce) {
  constexpr const char* kName = "BLOCKHAUL_TEST_TAKEN";
  ::setenv(kName, "sesame", 1);
  const char* where = std::getenv(kName);
  auto taken = take_from_environment(kName);
  ASSERT_TRUE(taken && taken.value());
  EXPECT_EQ(taken.value()->bytes().size(), 6U);
  EXPECT_EQ(std::memcmp(taken.value()->bytes().data(), "sesame", 6), 0);
  EXPECT_EQ(std::getenv(kName), nullptr);
  EXPECT_STREQ(where, "");
  EXPECT_FALSE(take_from_environment(kName).value());
}

TEST(EnvironmentSecretTest, MayBeEmpty) {
  constexpr const char* kName = "BLOCKHAUL_TEST_TAKEN";
  ::setenv(kName, "", 1);
  auto taken = take_from_environment(kName);
  ASSERT_TRUE(taken && taken.value());
  EXPECT_EQ(taken.value()->bytes()[0], std::byte{});
  EXPECT_EQ(std::getenv(kName), nullptr);
}

}  // namespace
}  // namespace blockhaul::test
