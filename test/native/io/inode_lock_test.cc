#include "io/inode_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "io/qemu_lock.h"
#include "support/temporary.h"

namespace blockhaul::test {
namespace {

using State = InodeLock::State;

class InodeLockTest : public testing::Test {
 protected:
  void SetUp() override { write_file(path_, random_bytes(100, 1)); }

  [[nodiscard]] UniqueDescriptor open(int access = O_RDWR) const {
    return UniqueDescriptor(::open(path_.c_str(), access | O_CLOEXEC));
  }
  [[nodiscard]] InodeLock take(LockMode mode) const {
    auto taken = InodeLock::take(open(mode == LockMode::exclusive ? O_RDWR : O_RDONLY), mode);
    EXPECT_TRUE(taken) << taken.error().message;
    return taken ? std::move(taken.value()) : InodeLock{};
  }
  /// Takes what QEMU would: bytes that say what it does, and what it forbids.
  [[nodiscard]] UniqueDescriptor qemu(const std::vector<std::uint64_t>& bytes) const {
    UniqueDescriptor opened = open();
    for (const std::uint64_t byte : bytes)
      EXPECT_EQ(set_region(opened.get(), F_RDLCK, {.start = byte}), 0);
    return opened;
  }
  [[nodiscard]] bool is_free(std::uint64_t byte) const {
    const UniqueDescriptor other = open();
    return set_region(other.get(), F_WRLCK, {.start = byte}) == 0;
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.path("image");
};

TEST_F(InodeLockTest, ManyShareItAndOneHasItAlone) {
  auto one = take(LockMode::shared);
  auto other = take(LockMode::shared);
  EXPECT_EQ(one.state, State::locked);
  EXPECT_EQ(other.state, State::locked);
  EXPECT_EQ(take(LockMode::exclusive).state, State::taken);
  one.lock.reset();
  EXPECT_EQ(take(LockMode::exclusive).state, State::taken);
  other.lock.reset();
  const auto alone = take(LockMode::exclusive);
  EXPECT_EQ(alone.state, State::locked);
  EXPECT_EQ(take(LockMode::exclusive).state, State::taken);
  EXPECT_EQ(take(LockMode::shared).state, State::taken);
}

TEST_F(InodeLockTest, IsOnWhatTheNameLedToAndNotOnTheName) {
  const auto alone = take(LockMode::exclusive);
  ASSERT_EQ(alone.state, State::locked);
  ASSERT_EQ(::link(path_.c_str(), folder_.path("link").c_str()), 0);
  path_ = folder_.path("link");
  EXPECT_EQ(take(LockMode::shared).state, State::taken);
}

// What a process that is forked meanwhile has inherited must not keep it.
TEST_F(InodeLockTest, IsFreeOnceItIsReleasedWhoeverHasTheDescriptor) {
  auto alone = take(LockMode::exclusive);
  ASSERT_EQ(alone.state, State::locked);
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  alone.lock.reset();
  EXPECT_EQ(take(LockMode::exclusive).state, State::locked);
  ::kill(child, SIGKILL);
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
}

TEST_F(InodeLockTest, QemuIsToldWhatWeDoAndWhatItMayNot) {
  {
    const auto source = take(LockMode::shared);
    EXPECT_FALSE(is_free(100)) << "we read";
    EXPECT_FALSE(is_free(201)) << "nobody may write";
    EXPECT_FALSE(is_free(203)) << "nobody may resize";
    EXPECT_TRUE(is_free(101));
    EXPECT_TRUE(is_free(200)) << "anybody may read";
  }
  const auto target = take(LockMode::exclusive);
  EXPECT_FALSE(is_free(101)) << "we write";
  EXPECT_FALSE(is_free(200)) << "nobody may read";
  EXPECT_FALSE(is_free(201));
  EXPECT_FALSE(is_free(203));
}

TEST_F(InodeLockTest, AQemuThatWritesKeepsUsAway) {
  const auto machine = qemu({100, 101, 201, 203});
  EXPECT_EQ(take(LockMode::shared).state, State::taken_by_qemu);
  const auto target = take(LockMode::exclusive);
  EXPECT_EQ(target.state, State::taken_by_qemu);
  EXPECT_TRUE(target.lock) << "other copies are kept away all the same";
  EXPECT_EQ(take(LockMode::shared).state, State::taken);
  EXPECT_TRUE(is_free(200)) << "QEMU is left in peace";
}

TEST_F(InodeLockTest, AQemuThatReadsKeepsATargetAwayAlone) {
  const auto reader = qemu({100, 201, 203});
  EXPECT_EQ(take(LockMode::shared).state, State::locked);
  EXPECT_EQ(take(LockMode::exclusive).state, State::taken_by_qemu);
}

TEST_F(InodeLockTest, WhatCannotBeLockedIsAnErrorOrSaysSo) {
  auto refused = InodeLock::take(open(O_RDONLY), LockMode::exclusive);
  ASSERT_FALSE(refused) << "it needs a descriptor that writes";
  EXPECT_EQ(refused.error().number, EBADF);
}

}  // namespace
}  // namespace blockhaul::test
