// What opens, what does not, and what an open volume says of itself.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "support/block_storage.h"
#include "support/temporary.h"
#include "support/volume_io.h"
#include "volume/posix_volume.h"

namespace blockhaul::test {
namespace {

namespace fs = std::filesystem;

class PosixOpenTest : public testing::Test {
 protected:
  /// The error of an open; number 0 where it succeeds.
  static Error error_of(const PosixOpenOptions& options) {
    auto volume = PosixVolume::open(options);
    return volume ? Error{.number = 0, .message = "it opened"} : volume.error();
  }

  std::string make_file(const std::string& name, std::size_t size) {
    write_file(folder_.path(name), random_bytes(size, 1));
    return folder_.path(name);
  }

  static std::unique_ptr<PosixVolume> open(const std::string& path,
                                           AccessMode mode = AccessMode::read) {
    auto volume = PosixVolume::open({.path = path, .mode = mode});
    EXPECT_TRUE(volume) << path << ": " << volume.error().message;
    return volume ? std::move(volume.value()) : nullptr;
  }

  TemporaryFolder folder_;
};

TEST_F(PosixOpenTest, SaysWhyAPathDoesNotOpen) {
  const std::string file = make_file("file", 10);
  EXPECT_EQ(error_of({.path = folder_.path("missing")}).number, ENOENT);
  EXPECT_EQ(error_of({.path = ""}).number, ENOENT);
  EXPECT_EQ(error_of({.path = file + "/below"}).number, ENOTDIR);
  EXPECT_EQ(error_of({.path = folder_.path(std::string(300, 'x'))}).number, ENAMETOOLONG);
  fs::create_symlink("nowhere", folder_.path("dangling"));
  EXPECT_EQ(error_of({.path = folder_.path("dangling")}).number, ENOENT);
  fs::create_symlink("round", folder_.path("round"));
  EXPECT_EQ(error_of({.path = folder_.path("round")}).number, ELOOP);
}

// A FIFO without a writer would hold an ordinary open up for ever.
TEST_F(PosixOpenTest, RefusesWhatIsNoVolume) {
  ASSERT_EQ(::mkfifo(folder_.path("fifo").c_str(), 0600), 0);
  for (const std::string& path : {folder_.path("."), folder_.path("fifo"), std::string("/dev/zero"),
                                  std::string("/dev/null")}) {
    for (const AccessMode mode : {AccessMode::read, AccessMode::write}) {
      const Error error = error_of({.path = path, .mode = mode});
      EXPECT_EQ(error.number, EINVAL) << path;
      EXPECT_EQ(error.code, "ERR_NOT_A_VOLUME") << path;
    }
  }
  EXPECT_EQ(error_of({.path = make_file("file", 10), .kind = PathKind::block}).code,
            "ERR_NOT_A_VOLUME");
}

TEST_F(PosixOpenTest, RespectsPermissions) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  const std::string file = make_file("secret", 10);
  ASSERT_EQ(::chmod(folder_.path(".").c_str(), 0755), 0);
  ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool changed = ::setresuid(65534, 65534, 65534) == 0;
    const bool reads = PosixVolume::open({.path = file}).ok();
    const Error error = error_of({.path = file, .mode = AccessMode::write});
    ::_exit(changed && reads && error.number == EACCES ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(PosixOpenTest, DescribesAFile) {
  const std::string path = make_file("file", 12'345);
  const auto reading = open(path);
  EXPECT_EQ(reading->info().kind, "file");
  EXPECT_EQ(reading->info().name, path);
  EXPECT_EQ(reading->info().size, 12'345U);
  EXPECT_TRUE(reading->info().read_only);
  EXPECT_TRUE(reading->info().maps_extents);
  EXPECT_EQ(reading->info().zero_state, ZeroState::unknown);
  const auto writing = open(path, AccessMode::write);
  EXPECT_FALSE(writing->info().read_only);
  EXPECT_EQ(writing->info().zero_state, ZeroState::unknown) << "an existing file holds anything";
}

TEST_F(PosixOpenTest, MakesANewFile) {
  const std::string path = folder_.path("new");
  auto made = PosixVolume::open(
      {.path = path, .mode = AccessMode::write, .create_size = std::uint64_t{10'000'001}});
  ASSERT_TRUE(made);
  EXPECT_EQ(made.value()->info().size, 10'000'001U);
  EXPECT_EQ(made.value()->info().zero_state, ZeroState::proven_zero);
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U) << "an image holds what others must not read";
  EXPECT_EQ(status.st_size, 10'000'001);
  EXPECT_EQ(status.st_blocks, 0);
}

TEST_F(PosixOpenTest, DoesNotMakeAFileOverAnother) {
  const std::string path = make_file("precious", 100);
  fs::create_symlink("precious", folder_.path("link"));
  fs::create_symlink("not-yet", folder_.path("dangling"));
  for (const char* name : {"precious", "link", "dangling", "."}) {
    const Error error = error_of(
        {.path = folder_.path(name), .mode = AccessMode::write, .create_size = std::uint64_t{5}});
    EXPECT_EQ(error.number, EEXIST) << name;
  }
  EXPECT_EQ(difference(random_bytes(100, 1), read_file(path)), "");
  EXPECT_FALSE(fs::exists(folder_.path("not-yet")));
}

TEST_F(PosixOpenTest, LeavesNothingBehindWhereANewFileCannotBeMade) {
  EXPECT_EQ(
      error_of({.path = folder_.path("no/such/folder"), .create_size = std::uint64_t{5}}).number,
      ENOENT);
  const Error too_big =
      error_of({.path = folder_.path("huge"), .create_size = std::uint64_t{1} << 62});
  EXPECT_EQ(too_big.number, EFBIG);
  EXPECT_FALSE(fs::exists(folder_.path("huge")));
}

TEST_F(PosixOpenTest, OpensAThousandTimesWithoutALeak) {
  const std::string path = make_file("file", 4096);
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 1000; ++i) {
    auto volume = PosixVolume::open({.path = path, .mode = AccessMode::write});
    ASSERT_TRUE(volume);
  }
  EXPECT_EQ(error_of({.path = folder_.path(".")}).number, EINVAL);
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(PosixOpenTest, TheIdentityIsTheInodes) {
  const std::string path = make_file("file", 100);
  const std::string identity = open(path)->info().identity;
  fs::create_symlink("file", folder_.path("soft"));
  fs::create_hard_link(path, folder_.path("hard"));
  fs::copy_file(path, folder_.path("copy"));
  EXPECT_EQ(open(folder_.path("soft"))->info().identity, identity);
  EXPECT_EQ(open(folder_.path("hard"))->info().identity, identity);
  EXPECT_EQ(
      open(folder_.path("./../" + fs::path(folder_.path(".")).parent_path().filename().string() +
                        "/file"))
          ->info()
          .identity,
      identity);
  EXPECT_NE(open(folder_.path("copy"))->info().identity, identity);
  EXPECT_EQ(open(path, AccessMode::write)->info().identity, identity);
}

TEST_F(PosixOpenTest, WritesToAReadOnlyVolumeFail) {
  const std::string path = make_file("file", 8192);
  const auto volume = open(path);
  VolumeIo io(ReactorKind::automatic);
  EXPECT_NE(io.write(*volume, 0, random_bytes(4096, 9)), 0);
  EXPECT_NE(io.write(*volume, 1, random_bytes(5, 9)), 0);
  EXPECT_NE(io.zero(*volume, 0, 4096), 0);
  EXPECT_EQ(difference(random_bytes(8192, 1), read_file(path)), "");
}

class BlockOpenTest : public PosixOpenTest {
 protected:
  void SetUp() override {
    if (const auto reason = why_no_loop_devices()) GTEST_SKIP() << *reason;
  }
};

TEST_F(BlockOpenTest, DescribesADevice) {
  for (const std::uint32_t sector : {512U, 4096U}) {
    const LoopDevice loop(make_file("disk-" + std::to_string(sector), 1024 * 1024),
                          {.sector_size = sector});
    const auto volume = open(loop.path());
    EXPECT_EQ(volume->info().kind, "block");
    EXPECT_EQ(volume->info().size, 1024U * 1024U);
    EXPECT_EQ(volume->info().block_size, sector);
    EXPECT_TRUE(volume->info().direct);
    EXPECT_FALSE(volume->info().maps_extents);
    EXPECT_EQ(volume->info().zero_state, ZeroState::unknown);
    EXPECT_EQ(error_of({.path = loop.path(), .kind = PathKind::file}).code, "ERR_NOT_A_VOLUME");
  }
}

TEST_F(BlockOpenTest, ADeviceIsKnownToBeZeroUntilItIsWritten) {
  std::filesystem::resize_file(make_file("disk", 0), 1024 * 1024);
  const LoopDevice loop(folder_.path("disk"));
  const PosixOpenOptions claim{
      .path = loop.path(), .mode = AccessMode::write, .kind = PathKind::block, .proven_zero = true};
  VolumeIo io(ReactorKind::automatic);
  {
    auto made = PosixVolume::open(claim);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made.value()->info().zero_state, ZeroState::proven_zero);
    EXPECT_EQ(made.value()->begin_writing(), ZeroState::proven_zero);
    EXPECT_EQ(made.value()->zero_state(), ZeroState::unknown);
    EXPECT_EQ(made.value()->begin_writing(), ZeroState::unknown) << "two copies at once";
    ASSERT_EQ(io.write(*made.value(), 0, random_bytes(4096, 2)), 0);
  }
  EXPECT_EQ(open(loop.path(), AccessMode::write)->zero_state(), ZeroState::unknown);
}

TEST_F(BlockOpenTest, OnlyADeviceThatIsToBeWrittenCanBeKnownToBeZero) {
  const std::string file = make_file("disk", 1024 * 1024);
  const LoopDevice loop(file);
  for (PosixOpenOptions claim : {
           PosixOpenOptions{.path = loop.path(), .kind = PathKind::block},
           PosixOpenOptions{.path = loop.path(), .mode = AccessMode::write},
           PosixOpenOptions{.path = file, .mode = AccessMode::write, .kind = PathKind::file},
       }) {
    claim.proven_zero = true;
    EXPECT_EQ(error_of(claim).number, EINVAL);
  }
  EXPECT_EQ(
      error_of(
          {.path = file, .mode = AccessMode::write, .kind = PathKind::block, .proven_zero = true})
          .code,
      "ERR_NOT_A_VOLUME");
}

TEST_F(BlockOpenTest, ADeviceInUseIsNotOpenedForWriting) {
  const LoopDevice loop(make_file("disk", 1024 * 1024));
  {
    // As a mount, device-mapper or md hold it.
    const UniqueDescriptor holder(::open(loop.path().c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
    ASSERT_TRUE(holder);
    EXPECT_EQ(error_of({.path = loop.path(), .mode = AccessMode::write}).number, EBUSY);
    EXPECT_TRUE(open(loop.path()));
  }
  for (const bool direct : {true, false}) {
    auto first =
        PosixVolume::open({.path = loop.path(), .mode = AccessMode::write, .direct = direct});
    ASSERT_TRUE(first);
    EXPECT_EQ(error_of({.path = loop.path(), .mode = AccessMode::write}).number, EBUSY)
        << "two copies onto one device";
  }
  EXPECT_TRUE(open(loop.path(), AccessMode::write)) << "a closed volume still holds it";
}

TEST_F(BlockOpenTest, AWriteProtectedDeviceIsNotOpenedForWriting) {
  const LoopDevice loop(make_file("disk", 1024 * 1024), {.read_only = true});
  EXPECT_TRUE(open(loop.path()));
  const Error error = error_of({.path = loop.path(), .mode = AccessMode::write});
  EXPECT_TRUE(error.number == EROFS || error.number == EACCES || error.number == EPERM)
      << error.number << " " << error.message;
}

TEST_F(BlockOpenTest, TheIdentityOfALoopDeviceIsItsFiles) {
  const std::string file = make_file("disk", 1024 * 1024);
  const std::string identity = open(file)->info().identity;
  const LoopDevice loop(file);
  EXPECT_EQ(open(loop.path())->info().identity, identity);
  fs::create_symlink(loop.path(), folder_.path("link"));
  EXPECT_EQ(open(folder_.path("link"))->info().identity, identity);
  const LoopDevice second(file);
  EXPECT_EQ(open(second.path())->info().identity, identity);
  const LoopDevice other(make_file("other", 1024 * 1024));
  EXPECT_NE(open(other.path())->info().identity, identity);
}

TEST_F(BlockOpenTest, ALoopDeviceOverAnother) {
  const LoopDevice lower(make_file("disk", 1024 * 1024));
  const LoopDevice upper(lower.path());
  EXPECT_NE(open(upper.path())->info().identity, "");
  RecordProperty("lower", open(lower.path())->info().identity);
  EXPECT_EQ(open(upper.path())->info().identity, open(lower.path())->info().identity);
}

}  // namespace
}  // namespace blockhaul::test
