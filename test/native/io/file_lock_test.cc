#include "io/file_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>

#include "io/region_lock.h"
#include "support/temporary.h"

namespace blockhaul::test {
namespace {

namespace fs = std::filesystem;

class FileLockTest : public testing::Test {
 protected:
  /// A lock that is free.
  std::unique_ptr<FileLock> take() {
    auto taken = FileLock::take(path_);
    EXPECT_TRUE(taken) << taken.error().message;
    return taken ? std::move(taken.value()) : nullptr;
  }

  static Error error_of(const std::string& path) {
    auto taken = FileLock::take(path);
    return taken ? Error{.number = 0, .message = "it is a lock"} : taken.error();
  }

  [[nodiscard]] std::string content() const {
    const Bytes bytes = read_file(path_);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.path("lock");
};

TEST_F(FileLockTest, IsHeldOnceAndNamesItsHolder) {
  auto lock = take();
  ASSERT_TRUE(lock);
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_EQ(content(), std::to_string(::getpid()) + "\n");
  EXPECT_FALSE(take()) << "a second holder in this process";
  lock.reset();
  EXPECT_EQ(content(), "");
  EXPECT_TRUE(take());
}

// As locks of fcntl(F_SETLK) would be.
TEST_F(FileLockTest, IsNotLostWhenTheFileIsReadAndClosed) {
  const auto lock = take();
  ASSERT_TRUE(lock);
  EXPECT_NE(content(), "");
  const UniqueDescriptor other(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_FALSE(take());
}

TEST_F(FileLockTest, DoesNotOutliveItsHolderInAProgramThatItStarted) {
  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe2(ready.data(), O_CLOEXEC), 0);
  const UniqueDescriptor reader(ready[0]);
  UniqueDescriptor writer(ready[1]);
  const pid_t holder = ::fork();
  if (holder == 0) {
    auto lock = FileLock::take(path_);
    const pid_t program = ::fork();
    if (program == 0) {
      ::execl("/bin/sleep", "sleep", "600", static_cast<char*>(nullptr));
      ::_exit(1);
    }
    const bool told = lock && lock.value() &&
                      ::write(writer.get(), &program, sizeof program) == ssize_t{sizeof program};
    while (told) ::pause();
    ::_exit(1);
  }
  writer = UniqueDescriptor();
  pid_t program = 0;
  ASSERT_EQ(::read(reader.get(), &program, sizeof program), ssize_t{sizeof program});
  // The pipe's end says that it is past its exec.
  EXPECT_FALSE(take());
  ::kill(holder, SIGKILL);
  EXPECT_EQ(::waitpid(holder, nullptr, 0), holder);
  char none = 0;
  EXPECT_EQ(::read(reader.get(), &none, 1), 0);
  EXPECT_TRUE(take());
  EXPECT_EQ(::kill(program, SIGKILL), 0) << "the program did not live that long";
}

// One file with a lock for each job, and for each target.
TEST_F(FileLockTest, OfOnePlaceKeepsOthersFromThatPlaceAlone) {
  const auto take_place = [this](std::uint64_t place) {
    auto taken = RegionLock::take(path_, {.start = place});
    EXPECT_TRUE(taken) << taken.error().message;
    return taken ? std::move(taken.value()) : nullptr;
  };
  constexpr std::uint64_t kFar = (std::uint64_t{1} << 48) - 1;
  auto near = take_place(7);
  const auto far = take_place(kFar);
  EXPECT_NE(near, nullptr);
  EXPECT_NE(far, nullptr);
  EXPECT_EQ(take_place(7), nullptr);
  EXPECT_EQ(take_place(kFar), nullptr);
  EXPECT_NE(take_place(8), nullptr);
  near.reset();
  EXPECT_NE(take_place(7), nullptr);
}

TEST_F(FileLockTest, RefusesWhatIsNoLock) {
  write_file(folder_.path("image"), random_bytes(100, 1));
  fs::create_symlink("image", folder_.path("link"));
  fs::create_symlink("nowhere", folder_.path("dangling"));
  ASSERT_EQ(::mkfifo(folder_.path("fifo").c_str(), 0600), 0);
  for (const char* name : {"image", "link", "dangling", "fifo", "."}) {
    const Error error = error_of(folder_.path(name));
    EXPECT_TRUE(error.number == EINVAL || error.code == "ERR_INVALID_ARGUMENT")
        << name << ": " << error.message;
  }
  EXPECT_EQ(difference(random_bytes(100, 1), read_file(folder_.path("image"))), "");
  EXPECT_FALSE(fs::exists(folder_.path("nowhere")));
  EXPECT_EQ(error_of(folder_.path("no/such/folder")).number, ENOENT);
}

TEST_F(FileLockTest, IsTakenAThousandTimesWithoutALeak) {
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 1000; ++i) {
    const auto lock = take();
    ASSERT_TRUE(lock);
    ASSERT_FALSE(take());
  }
  error_of(folder_.path("."));
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace blockhaul::test
