// Reads, writes and zeros of any place and length, on files and on devices of both sector sizes.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "core/page_memory.h"
#include "core/units.h"
#include "core/zero.h"
#include "support/block_storage.h"
#include "support/faulty_reactor.h"
#include "support/temporary.h"
#include "support/volume_io.h"
#include "volume/posix_volume.h"

namespace blockhaul::test {
namespace {

/// What a volume is made of.
struct Medium {
  const char* name;
  std::uint32_t sector;  ///< of a loop device; 0: a file
  bool direct;
};

void PrintTo(const Medium& medium, std::ostream* out) { *out << medium.name; }

class PosixIoTest : public testing::TestWithParam<Medium> {
 protected:
  static constexpr std::size_t kSize = 2 * kMiB;

  void SetUp() override {
    // A file's size is any; a device's is whole sectors.
    size_ = GetParam().sector == 0 ? kSize + 1234 : kSize;
    expected_ = random_bytes(size_, 1);
    write_file(folder_.path("disk"), expected_);
    path_ = folder_.path("disk");
    if (GetParam().sector != 0) {
      if (const auto reason = why_no_loop_devices()) GTEST_SKIP() << *reason;
      loop_.emplace(path_, LoopOptions{.sector_size = GetParam().sector});
      path_ = loop_->path();
    }
    auto volume =
        PosixVolume::open({.path = path_, .mode = AccessMode::write, .direct = GetParam().direct});
    ASSERT_TRUE(volume) << volume.error().message;
    volume_ = std::move(volume.value());
  }

  void expect_content() {
    EXPECT_EQ(io_.flush(*volume_), 0);
    EXPECT_EQ(difference(expected_, read_file(path_)), "");
  }

  std::size_t size_ = 0;
  TemporaryFolder folder_;
  std::string path_;
  std::optional<LoopDevice> loop_;
  std::unique_ptr<PosixVolume> volume_;
  VolumeIo io_{ReactorKind::automatic};
  Bytes expected_;
};

TEST_P(PosixIoTest, ReadsAnyPlaceAndLength) {
  std::mt19937_64 random(1);
  auto memory = PageMemory::create(kMiB);
  ASSERT_TRUE(memory);
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t unit = std::uint64_t{1} << (random() % 13);
    const std::uint64_t offset = align_down(random() % size_, unit);
    const std::uint64_t length =
        std::min(align_up(1 + random() % (200 * kKiB), unit), size_ - offset);
    // Sometimes memory that direct I/O cannot use.
    const auto data = memory.value().bytes().subspan(random() % 3 * 5, length);
    std::fill(data.begin(), data.end(), std::byte{0xee});
    ASSERT_EQ(io_.read(*volume_, offset, data), 0) << offset << "+" << length;
    const bool same = std::equal(data.begin(), data.end(),
                                 expected_.begin() + static_cast<std::ptrdiff_t>(offset));
    ASSERT_TRUE(same) << offset << "+" << length;
  }
}

TEST_P(PosixIoTest, WritesAnyPlaceAndLength) {
  std::mt19937_64 random(2);
  auto memory = PageMemory::create(kMiB);
  ASSERT_TRUE(memory);
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t unit = std::uint64_t{1} << (random() % 13);
    const std::uint64_t offset = align_down(random() % size_, unit);
    const std::uint64_t length =
        std::min(align_up(1 + random() % (100 * kKiB), unit), size_ - offset);
    const auto data = memory.value().bytes().subspan(random() % 3 * 5, length);
    const Bytes bytes = random_bytes(length, random());
    std::copy(bytes.begin(), bytes.end(), data.begin());
    ASSERT_EQ(io_.write(*volume_, offset, data), 0) << offset << "+" << length;
    std::copy(bytes.begin(), bytes.end(), expected_.begin() + static_cast<std::ptrdiff_t>(offset));
    if (i % 50 == 0) expect_content();
  }
  expect_content();
}

TEST_P(PosixIoTest, TheLastBytesAreReadAndWritten) {
  for (const std::size_t tail : {1, 511, 512, 513, 4095, 4096, 4097}) {
    const Bytes bytes = random_bytes(tail, tail);
    ASSERT_EQ(io_.write(*volume_, size_ - tail, bytes), 0) << tail;
    std::copy(bytes.begin(), bytes.end(), expected_.end() - static_cast<std::ptrdiff_t>(tail));
    Bytes read_back(tail);
    ASSERT_EQ(io_.read(*volume_, size_ - tail, read_back), 0) << tail;
    EXPECT_EQ(difference(bytes, read_back), "");
  }
  expect_content();
  if (GetParam().sector == 0) {
    EXPECT_EQ(read_file(path_).size(), size_) << "the file has grown";
  }
}

TEST_P(PosixIoTest, ARequestWithoutBytesIsDone) {
  EXPECT_EQ(io_.read(*volume_, 5, {}), 0);
  EXPECT_EQ(io_.write(*volume_, size_, {}), 0);
  EXPECT_EQ(io_.zero(*volume_, 512, 0), 0);
  expect_content();
}

// To and from a device, what is odd goes through a bounded piece of memory.
TEST_P(PosixIoTest, AnOddRequestMayBeOfAnyLength) {
  const std::size_t length = size_ - 1000;
  Bytes read_back(length);
  ASSERT_EQ(io_.read(*volume_, 333, read_back), 0);
  EXPECT_TRUE(std::equal(read_back.begin(), read_back.end(), expected_.begin() + 333));
  const Bytes bytes = random_bytes(length, 5);
  ASSERT_EQ(io_.write(*volume_, 333, bytes), 0);
  std::copy(bytes.begin(), bytes.end(), expected_.begin() + 333);
  expect_content();
}

// The kernel may do less than it was asked to; what is left begins where that ended.
TEST_P(PosixIoTest, ShortTransfersAreTakenUpWhereTheyEnded) {
  FaultyReactor reactor;
  reactor.perform = [](const FileOperation& operation) {
    return FaultyReactor::up_to(operation, 16 * kKiB);
  };
  for (const std::uint64_t offset : {0, 12'345}) {
    Bytes bytes = random_bytes(200'000, offset + 1);
    ASSERT_EQ(reactor.run(*volume_, {.operation = Operation::write,
                                     .offset = offset,
                                     .length = bytes.size(),
                                     .data = bytes}),
              0);
    std::copy(bytes.begin(), bytes.end(), expected_.begin() + static_cast<std::ptrdiff_t>(offset));
    Bytes read_back(bytes.size());
    ASSERT_EQ(reactor.run(*volume_, {.operation = Operation::read,
                                     .offset = offset,
                                     .length = read_back.size(),
                                     .data = read_back}),
              0);
    EXPECT_EQ(difference(bytes, read_back), "") << "at " << offset;
  }
  expect_content();
}

// Neighbours that share a block, all in flight at once: one goes directly, the other through the
// page cache, and neither may undo the other.
TEST_P(PosixIoTest, NeighboursInFlightDoNotUndoEachOther) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 60; ++round) {
    std::vector<Request> requests;
    std::vector<Bytes> data;
    std::uint64_t at = random() % 3000;
    while (at < 256 * kKiB) {
      const std::uint64_t unit = random() % 2 == 0 ? 512 : 1;
      const std::uint64_t length = align_up(1 + random() % 6000, unit);
      data.push_back(random_bytes(length, random()));
      requests.push_back({.operation = Operation::write, .offset = at, .length = length});
      std::copy(data.back().begin(), data.back().end(),
                expected_.begin() + static_cast<std::ptrdiff_t>(at));
      at += length;
      if (random() % 2 == 0) at = align_up(at, 512);
    }
    // Aligned memory: what can go directly does.
    auto memory = PageMemory::create(align_up(requests.size() * 8192, 4096));
    ASSERT_TRUE(memory);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      requests[i].data = memory.value().bytes().subspan(i * 8192, data[i].size());
      std::copy(data[i].begin(), data[i].end(), requests[i].data.begin());
    }
    std::shuffle(requests.begin(), requests.end(), random);
    io_.run(*volume_, requests);
    for (const Request& request : requests) ASSERT_EQ(request.error, 0);
    ASSERT_EQ(io_.flush(*volume_), 0);
    ASSERT_EQ(difference(expected_, read_file(path_)), "") << "round " << round;
  }
}

TEST_P(PosixIoTest, ZeroesARangeAndNothingElse) {
  std::mt19937_64 random(4);
  const std::uint64_t unit = std::max(GetParam().sector, 1U);
  for (int i = 0; i < 60; ++i) {
    const std::uint64_t offset = align_down(random() % size_, unit);
    const std::uint64_t length =
        std::min(align_up(1 + random() % (100 * kKiB), unit), size_ - offset);
    ASSERT_EQ(io_.zero(*volume_, offset, length), 0) << offset << "+" << length;
    std::fill_n(expected_.begin() + static_cast<std::ptrdiff_t>(offset), length, std::byte{});
  }
  expect_content();
  EXPECT_EQ(io_.zero(*volume_, 0, align_down(size_, unit)), 0);
  std::fill_n(expected_.begin(), align_down(size_, unit), std::byte{});
  expect_content();
  EXPECT_LT(allocated_bytes(folder_.path("disk")), 64 * kKiB) << "zeros take space";
}

using PosixSectorTest = PosixIoTest;

// A device zeroes whole sectors; the engine writes zeros where it is told ENOTSUP, and that answer
// must not be remembered for the ranges that are aligned.
TEST_P(PosixSectorTest, AskedToZeroPartsOfSectorsADeviceSaysNo) {
  EXPECT_EQ(io_.zero(*volume_, 1, GetParam().sector), ENOTSUP);
  EXPECT_EQ(io_.zero(*volume_, 0, GetParam().sector - 1), ENOTSUP);
  EXPECT_EQ(io_.zero(*volume_, 0, GetParam().sector + 1), ENOTSUP);
  expect_content();
  EXPECT_EQ(io_.zero(*volume_, 0, GetParam().sector), 0);
}

TEST_P(PosixIoTest, ManyRequestsAtOnce) {
  constexpr std::size_t kPiece = 16 * kKiB;
  auto memory = PageMemory::create(kSize);
  ASSERT_TRUE(memory);
  const Bytes bytes = random_bytes(kSize, 9);
  std::copy(bytes.begin(), bytes.end(), memory.value().bytes().begin());
  std::vector<Request> requests;
  for (std::size_t at = 0; at < kSize; at += kPiece) {
    requests.push_back({.operation = Operation::write,
                        .offset = at,
                        .length = kPiece,
                        .data = memory.value().bytes().subspan(at, kPiece)});
  }
  io_.run(*volume_, requests);
  for (const Request& request : requests) EXPECT_EQ(request.error, 0);
  std::copy(bytes.begin(), bytes.end(), expected_.begin());
  expect_content();
}

INSTANTIATE_TEST_SUITE_P(Media, PosixIoTest,
                         testing::Values(Medium{"File", 0, true}, Medium{"FileBuffered", 0, false},
                                         Medium{"Sectors512", 512, true},
                                         Medium{"Sectors4096", 4096, true},
                                         Medium{"Sectors4096Buffered", 4096, false}),
                         [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(Media, PosixSectorTest,
                         testing::Values(Medium{"Sectors512", 512, true},
                                         Medium{"Sectors4096", 4096, true}),
                         [](const auto& info) { return info.param.name; });

TEST(PosixVolumeTest, AFileThatBecameShorterIsAnErrorNotZeros) {
  const TemporaryFolder folder;
  write_file(folder.path("disk"), random_bytes(kMiB, 1));
  auto volume = PosixVolume::open({.path = folder.path("disk")});
  ASSERT_TRUE(volume);
  ASSERT_EQ(::truncate(folder.path("disk").c_str(), 512 * kKiB + 100), 0);
  VolumeIo io(ReactorKind::automatic);
  Bytes bytes(64 * kKiB);
  EXPECT_EQ(io.read(*volume.value(), 0, bytes), 0);
  EXPECT_EQ(io.read(*volume.value(), 512 * kKiB, bytes), EIO);
  EXPECT_EQ(io.read(*volume.value(), 768 * kKiB, bytes), EIO);
  // Its map must not call a hole what is no longer there: the copy would make it zero.
  const auto extents = volume.value()->map(256 * kKiB, 768 * kKiB);
  if (extents) {
    std::uint64_t known = 256 * kKiB;
    for (const Extent& extent : extents.value()) {
      EXPECT_EQ(extent.kind, ExtentKind::data) << "a hole at " << extent.offset;
      known = extent.end();
    }
    if (known < kMiB) {
      const auto rest = volume.value()->map(known, kMiB - known);
      EXPECT_FALSE(rest && rest.value().front().kind != ExtentKind::data);
    }
  }
}

// The kernel tells of lost pages once: a later flush that it calls good covers them no more than
// the first one did.
TEST(PosixVolumeTest, NoFlushIsASuccessBehindOneThatFailed) {
  const TemporaryFolder folder;
  auto volume = PosixVolume::open(
      {.path = folder.path("disk"), .mode = AccessMode::write, .create_size = kMiB});
  ASSERT_TRUE(volume);
  FaultyReactor reactor;
  const Request flush{.operation = Operation::flush};
  EXPECT_EQ(reactor.run(*volume.value(), flush), 0);
  reactor.perform = [](const FileOperation&) { return -EIO; };
  EXPECT_EQ(reactor.run(*volume.value(), flush), EIO);
  reactor.perform = &FaultyReactor::in_full;
  EXPECT_EQ(reactor.run(*volume.value(), flush), EIO);
}

TEST(PosixVolumeTest, AThickFileTakesItsSpaceAndGivesNoneBack) {
  const TemporaryFolder folder;
  const std::string path = folder.path("disk");
  const Bytes bytes = random_bytes(kMiB, 1);
  VolumeIo io(ReactorKind::automatic);
  {
    auto made = PosixVolume::open(
        {.path = path, .mode = AccessMode::write, .create_size = kMiB, .thick = true});
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_GE(allocated_bytes(path), kMiB);
    EXPECT_EQ(made.value()->zero_state(), ZeroState::proven_zero) << "reserved is not written";
    EXPECT_EQ(io.write(*made.value(), 0, bytes), 0);
    EXPECT_EQ(made.value()->zero_state(), ZeroState::unknown);
  }
  // Who opens it again says once more that it is thick.
  auto again = PosixVolume::open({.path = path, .mode = AccessMode::write, .thick = true});
  ASSERT_TRUE(again) << again.error().message;
  const int error = io.zero(*again.value(), 0, kMiB);
  EXPECT_TRUE(error == 0 || error == ENOTSUP) << error;
  EXPECT_GE(allocated_bytes(path), kMiB);
  if (error == 0) {
    EXPECT_EQ(difference(Bytes(kMiB), read_file(path)), "");
  }
}

TEST(PosixVolumeTest, AThickFileIsNotMadeWhereNoSpaceIsReserved) {
  if (const auto reason = why_no_loop_devices()) GTEST_SKIP() << *reason;
  const DetachedMount mount("ramfs");
  const std::string path = mount.path("disk");
  auto made = PosixVolume::open(
      {.path = path, .mode = AccessMode::write, .create_size = kMiB, .thick = true});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().number, EOPNOTSUPP);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(PosixVolumeTest, WorksWhereDirectIoAndZeroingAreRefused) {
  if (const auto reason = why_no_loop_devices()) GTEST_SKIP() << *reason;
  const DetachedMount mount("ramfs");
  auto volume = PosixVolume::open({.path = mount.path("disk"),
                                   .mode = AccessMode::write,
                                   .create_size = std::uint64_t{100'001}});
  ASSERT_TRUE(volume) << volume.error().message;
  EXPECT_FALSE(volume.value()->info().direct);
  VolumeIo io(ReactorKind::automatic);
  const Bytes bytes = random_bytes(100'001, 1);
  EXPECT_EQ(io.write(*volume.value(), 0, bytes), 0);
  EXPECT_EQ(io.zero(*volume.value(), 0, 100'001), ENOTSUP);
  EXPECT_EQ(io.zero(*volume.value(), 4096, 4096), ENOTSUP);
  EXPECT_EQ(io.flush(*volume.value()), 0);
  EXPECT_EQ(difference(bytes, read_file(mount.path("disk"))), "");
}

// O_DIRECT opens on ext4 with its data in the journal, and goes through the page cache all the
// same: to call that direct would let a read-back be taken for one from the medium.
TEST(PosixVolumeTest, KnowsWhereDirectIoIsNone) {
  if (const auto reason = why_no_loop_devices()) GTEST_SKIP() << *reason;
  const TemporaryFolder folder;
  write_sparse(folder.path("disk"), content_of(32 * kMiB, {}, 1));
  if (std::system(("mkfs.ext4 -q " + folder.path("disk") + " 2>/dev/null").c_str()) != 0)
    GTEST_SKIP() << "no mkfs.ext4";
  const LoopDevice loop(folder.path("disk"));
  for (const bool journals_data : {false, true}) {
    const DetachedMount mount(
        "ext4", {{"source", loop.path().c_str()}, {"data", journals_data ? "journal" : "ordered"}});
    const std::string path = mount.path(journals_data ? "journaled" : "ordinary");
    auto volume = PosixVolume::open({.path = path, .mode = AccessMode::write, .create_size = kMiB});
    ASSERT_TRUE(volume) << volume.error().message;
    EXPECT_EQ(volume.value()->info().direct, !journals_data);
    VolumeIo io(ReactorKind::automatic);
    const Bytes bytes = random_bytes(kMiB, 1);
    EXPECT_EQ(io.write(*volume.value(), 0, bytes), 0);
    EXPECT_EQ(difference(bytes, read_file(path)), "");
  }
}

TEST(PosixVolumeTest, SaysWhenTheMediumIsFull) {
  if (const auto reason = why_no_loop_devices()) GTEST_SKIP() << *reason;
  const DetachedMount mount("tmpfs", {{"size", "1M"}});
  auto volume = PosixVolume::open(
      {.path = mount.path("disk"), .mode = AccessMode::write, .create_size = 4 * kMiB});
  ASSERT_TRUE(volume) << volume.error().message;
  VolumeIo io(ReactorKind::automatic);
  const Bytes bytes = random_bytes(2 * kMiB, 1);
  EXPECT_EQ(io.write(*volume.value(), 0, bytes), ENOSPC);
}

using Extents = std::vector<Extent>;

TEST(PosixMapTest, TellsDataFromHoles) {
  const TemporaryFolder folder;
  const std::size_t size = 20 * kMiB + 777;
  const Content content = content_of(size,
                                     {{kMiB, 64 * kKiB, ExtentKind::data},
                                      {8 * kMiB, 3 * kMiB, ExtentKind::data},
                                      {20 * kMiB, 777, ExtentKind::data}},
                                     1);
  write_sparse(folder.path("disk"), content);
  auto volume = PosixVolume::open({.path = folder.path("disk")});
  ASSERT_TRUE(volume);
  const auto whole = volume.value()->map(0, size);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole.value(), content.extents);
  const auto part = volume.value()->map(kMiB + 100, 9 * kMiB);
  ASSERT_TRUE(part);
  EXPECT_EQ(part.value(), cover_range(content.extents, kMiB + 100, 9 * kMiB, ExtentKind::hole));
  const auto hole = volume.value()->map(12 * kMiB, 10);
  ASSERT_TRUE(hole);
  EXPECT_EQ(hole.value(), (Extents{{12 * kMiB, 10, ExtentKind::hole}}));
}

TEST(PosixMapTest, AFileThatIsAllHoleOrAllData) {
  const TemporaryFolder folder;
  write_sparse(folder.path("hole"), content_of(kMiB + 1, {}, 1));
  write_file(folder.path("data"), random_bytes(kMiB + 1, 1));
  const auto hole = PosixVolume::open({.path = folder.path("hole")});
  const auto data = PosixVolume::open({.path = folder.path("data")});
  ASSERT_TRUE(hole);
  ASSERT_TRUE(data);
  EXPECT_EQ(hole.value()->map(0, kMiB + 1).value(), (Extents{{0, kMiB + 1, ExtentKind::hole}}));
  EXPECT_EQ(data.value()->map(0, kMiB + 1).value(), (Extents{{0, kMiB + 1, ExtentKind::data}}));
}

// More extents than one answer holds: the answers continue each other.
TEST(PosixMapTest, AnswersAGreatMapInParts) {
  const TemporaryFolder folder;
  const std::size_t size = 10'000 * 4096;
  const Content content = alternating(size, 4096, 1);
  write_sparse(folder.path("disk"), content);
  auto volume = PosixVolume::open({.path = folder.path("disk")});
  ASSERT_TRUE(volume);
  Extents all;
  std::uint64_t position = 0;
  int answers = 0;
  for (; position < size && answers < 100; ++answers) {
    const auto answer = volume.value()->map(position, size - position);
    ASSERT_TRUE(answer);
    ASSERT_FALSE(answer.value().empty());
    for (const Extent& extent : answer.value()) append_extent(all, extent);
    position = answer.value().back().end();
  }
  EXPECT_GT(answers, 1);
  EXPECT_EQ(all, content.extents);
}

// What is written but not yet on the medium is data, too.
TEST(PosixMapTest, SeesWhatWasJustWritten) {
  const TemporaryFolder folder;
  auto volume = PosixVolume::open(
      {.path = folder.path("disk"), .mode = AccessMode::write, .create_size = kMiB});
  ASSERT_TRUE(volume);
  VolumeIo io(ReactorKind::automatic);
  ASSERT_EQ(io.write(*volume.value(), 512 * kKiB + 7, random_bytes(10, 1)), 0);
  const auto extents = volume.value()->map(0, kMiB);
  ASSERT_TRUE(extents);
  const bool covered =
      std::any_of(extents.value().begin(), extents.value().end(), [](const Extent& extent) {
        return extent.kind == ExtentKind::data && extent.offset <= 512 * kKiB + 7 &&
               extent.end() >= 512 * kKiB + 17;
      });
  EXPECT_TRUE(covered);
}

}  // namespace
}  // namespace blockhaul::test
