// Whole copies between files and loop devices, on real reactors, compared through the kernel's own
// reads of both ends.

#include <gtest/gtest.h>

#include <future>

#include "copy/copy_threads.h"
#include "core/units.h"
#include "support/block_storage.h"
#include "support/temporary.h"
#include "support/volume_io.h"
#include "volume/posix_volume.h"

namespace blockhaul::test {
namespace {

CopyOutcome copy_between(const std::shared_ptr<Volume>& source,
                         const std::shared_ptr<Volume>& target, const CopyOptions& options) {
  std::promise<CopyOutcome> outcome;
  auto threads =
      CopyThreads::start({source, target, nullptr}, options,
                         [&outcome](CopyOutcome result) { outcome.set_value(std::move(result)); });
  EXPECT_TRUE(threads);
  return outcome.get_future().get();
}

std::shared_ptr<Volume> open(const PosixOpenOptions& options) {
  auto volume = PosixVolume::open(options);
  EXPECT_TRUE(volume) << options.path << ": " << volume.error().message;
  return volume ? std::shared_ptr<Volume>(std::move(volume.value())) : nullptr;
}

Content content_for(std::size_t size) {
  std::mt19937_64 random(size);
  Content content = random_content(size, random);
  if (size > 0) content.bytes.back() = std::byte{0x55};
  if (size > 0) content.extents.back().kind = ExtentKind::data;
  return content;
}

class CopyFileTest : public testing::TestWithParam<std::size_t> {
 protected:
  TemporaryFolder folder_;
};

TEST_P(CopyFileTest, OntoANewFileAnOldFileAndDevices) {
  const std::size_t size = GetParam();
  const Content content = content_for(size);
  write_sparse(folder_.path("source"), content);
  const CopyOptions options{.size = size, .request_size = 256 * kKiB, .lanes = 2};
  const std::string digest = reference_digest(DigestKind::xxh3, content.bytes);
  const auto check = [&](const CopyOutcome& outcome, const std::string& path) {
    ASSERT_FALSE(outcome.error) << outcome.error->message;
    EXPECT_EQ(outcome.digest, digest);
    Bytes written = read_file(path);
    written.resize(size);
    EXPECT_EQ(difference(content.bytes, written), "") << path;
  };
  const auto source = open({.path = folder_.path("source")});

  const auto fresh = open(
      {.path = folder_.path("new"), .mode = AccessMode::write, .create_size = std::uint64_t{size}});
  check(copy_between(source, fresh, options), folder_.path("new"));
  EXPECT_EQ(read_file(folder_.path("new")).size(), size);
  EXPECT_LE(allocated_bytes(folder_.path("new")),
            allocated_bytes(folder_.path("source")) + 64 * kKiB);

  // What was there before, and is longer, keeps its rest.
  const Bytes before = random_bytes(size + 100'000, 3);
  write_file(folder_.path("old"), before);
  check(
      copy_between(source, open({.path = folder_.path("old"), .mode = AccessMode::write}), options),
      folder_.path("old"));
  const Bytes after = read_file(folder_.path("old"));
  EXPECT_TRUE(std::equal(before.begin() + static_cast<std::ptrdiff_t>(size), before.end(),
                         after.begin() + static_cast<std::ptrdiff_t>(size), after.end()));

  if (why_no_loop_devices()) return;
  for (const std::uint32_t sector : {512U, 4096U}) {
    const std::string disk = folder_.path("disk-" + std::to_string(sector));
    write_file(disk, random_bytes(align_up(size + 1, 4096), 4));
    const LoopDevice loop(disk, {.sector_size = sector});
    {
      const auto target = open({.path = loop.path(), .mode = AccessMode::write});
      check(copy_between(source, target, options), loop.path());
    }
    // And back.
    const std::string back = folder_.path("back-" + std::to_string(sector));
    const auto file =
        open({.path = back, .mode = AccessMode::write, .create_size = std::uint64_t{size}});
    check(copy_between(open({.path = loop.path()}), file, options), back);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, CopyFileTest,
                         testing::Values(1, 511, 512, 513, 4095, 4096, 4097, kLeaf, 4 * kMiB - 1,
                                         4 * kMiB, 4 * kMiB + 1));

// 8 GiB with 64 pieces of 64 KiB: it takes no space elsewhere, and little time.
TEST(CopySparseFileTest, StaysSparse) {
  const TemporaryFolder folder;
  constexpr std::uint64_t kSize = 8 * kGiB;
  constexpr std::uint64_t kPieces = 64;
  {
    const auto maker =
        open({.path = folder.path("source"), .mode = AccessMode::write, .create_size = kSize});
    VolumeIo io(ReactorKind::automatic);
    for (std::uint64_t i = 0; i < kPieces; ++i)
      ASSERT_EQ(io.write(*maker, i * 128 * kMiB + 64 * kKiB, random_bytes(64 * kKiB, i)), 0);
  }
  const auto source = open({.path = folder.path("source")});
  const auto target =
      open({.path = folder.path("target"), .mode = AccessMode::write, .create_size = kSize});
  const CopyOutcome outcome = copy_between(source, target, {.size = kSize});
  ASSERT_FALSE(outcome.error) << outcome.error->message;
  // What a file system needs for its own tables comes on top.
  EXPECT_LE(allocated_bytes(folder.path("target")), kPieces * 64 * kKiB + 256 * kKiB);
  VolumeIo io(ReactorKind::automatic);
  for (std::uint64_t i = 0; i < kPieces; ++i) {
    Bytes piece(64 * kKiB);
    ASSERT_EQ(io.read(*target, i * 128 * kMiB + 64 * kKiB, piece), 0);
    EXPECT_EQ(difference(random_bytes(64 * kKiB, i), piece), "") << i;
  }
}

TEST(CopyFullMediumTest, SaysSoAndLeavesTheSourceAlone) {
  if (const auto reason = why_no_loop_devices()) GTEST_SKIP() << *reason;
  const TemporaryFolder folder;
  const Bytes bytes = random_bytes(4 * kMiB, 1);
  write_file(folder.path("source"), bytes);
  const DetachedMount mount("tmpfs", {{"size", "1M"}});
  const auto target =
      open({.path = mount.path("target"), .mode = AccessMode::write, .create_size = 4 * kMiB});
  const CopyOutcome outcome = copy_between(open({.path = folder.path("source")}), target,
                                           {.size = 4 * kMiB, .request_size = 64 * kKiB});
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->number, ENOSPC);
  EXPECT_EQ(outcome.error->side, Side::target);
  EXPECT_EQ(outcome.error->operation, Operation::write);
  EXPECT_GE(outcome.error->offset, 0);
  EXPECT_EQ(difference(bytes, read_file(folder.path("source"))), "");
}

}  // namespace
}  // namespace blockhaul::test
