#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <optional>

#include "io/reactor.h"
#include "io/reactor_thread.h"
#include "support/reactor_host.h"

namespace blockhaul::test {
namespace {

/// Sets BLOCKHAUL_IO, or takes it away, until the end of the scope.
class IoVariable {
 public:
  explicit IoVariable(const char* value) {
    if (const char* before = std::getenv(kName); before != nullptr) before_ = before;
    set(value);
  }
  ~IoVariable() { set(before_ ? before_->c_str() : nullptr); }
  IoVariable(const IoVariable&) = delete;
  IoVariable& operator=(const IoVariable&) = delete;

 private:
  static constexpr const char* kName = "BLOCKHAUL_IO";
  static void set(const char* value) {
    if (value == nullptr) {
      ::unsetenv(kName);
    } else {
      ::setenv(kName, value, 1);
    }
  }
  std::optional<std::string> before_;
};

std::string made_by(ReactorKind kind) {
  auto reactor = make_reactor(kind, 4);
  return reactor ? std::string(reactor.value()->name()) : "error " + reactor.error().message;
}

TEST(ReactorChoiceTest, FollowsTheEnvironment) {
  {
    const IoVariable io("threads");
    EXPECT_EQ(made_by(ReactorKind::automatic), "threads");
  }
  if (!probe_uring()) GTEST_SKIP() << "no io_uring here";
  for (const char* value : {"uring", "", static_cast<const char*>(nullptr)}) {
    const IoVariable io(value);
    EXPECT_EQ(made_by(ReactorKind::automatic), "io_uring");
  }
  const IoVariable io("threads");
  EXPECT_EQ(made_by(ReactorKind::uring), "io_uring") << "what is asked for by name is not chosen";
}

TEST(ReactorChoiceTest, RefusesAValueThatItDoesNotKnow) {
  for (const char* value : {"URING", "io_uring", "thread", " "}) {
    const IoVariable io(value);
    auto reactor = make_reactor(ReactorKind::automatic, 4);
    ASSERT_FALSE(reactor) << value;
    EXPECT_EQ(reactor.error().number, EINVAL);
    EXPECT_NE(reactor.error().message.find("BLOCKHAUL_IO"), std::string::npos);
    EXPECT_NE(reactor.error().message.find(value), std::string::npos);
    const auto thread = ReactorThread::start(ReactorKind::automatic, 4);
    EXPECT_FALSE(thread);
  }
}

/// As containers do it: every call of io_uring_setup(2) gives an error.
bool refuse_uring(int error) {
  const auto refusal = static_cast<unsigned>(error) & SECCOMP_RET_DATA;
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | refusal),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = std::size(filter), .filter = filter};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/// Runs a check in a forked child, in which io_uring is refused; true where the check held.
bool holds_without_uring(int error, const std::function<bool()>& check) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(refuse_uring(error) && check() ? 0 : 1);
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(ReactorChoiceTest, TakesThreadsWhereTheKernelRefusesIoUring) {
  for (const int error : {EPERM, ENOSYS, ENOMEM}) {
    EXPECT_TRUE(holds_without_uring(error, [] {
      const IoVariable io(nullptr);
      return made_by(ReactorKind::automatic) == "threads";
    })) << error;
  }
}

TEST(ReactorChoiceTest, SaysSoWhereIoUringWasAskedForAndRefused) {
  EXPECT_TRUE(holds_without_uring(EPERM, [] {
    const IoVariable io("uring");
    auto reactor = make_reactor(ReactorKind::automatic, 4);
    const Status probe = probe_uring();
    return !reactor && reactor.error().number == EPERM && !probe && probe.error().number == EPERM &&
           probe.error().message.find("io_uring") != std::string::npos;
  }));
}

TEST(ReactorChoiceTest, TheTwinWorksWhereIoUringIsRefused) {
  EXPECT_TRUE(holds_without_uring(EPERM, [] {
    const IoVariable io(nullptr);
    auto thread = ReactorThread::start(ReactorKind::automatic, 4);
    return thread.ok() && call(thread.value()->reactor(), [] { return 42; }) == 42;
  }));
}

}  // namespace
}  // namespace blockhaul::test
