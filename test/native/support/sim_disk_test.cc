// The simulated disk is what the proofs stand on: it must lose what a disk may lose, and nothing
// else.

#include "support/sim_disk.h"

#include <gtest/gtest.h>
#include <linux/falloc.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "core/page_memory.h"
#include "support/sim_volume.h"

namespace blockhaul::test {
namespace {

constexpr std::uint64_t kSector = 512;
constexpr std::uint64_t kSize = 64 * kSector;

Bytes filled(std::uint64_t length, int value) {
  return Bytes(length, static_cast<std::byte>(value));
}

class SimDiskTest : public testing::Test {
 protected:
  /// A file operation with its answer.
  struct Call {
    FileOperation operation{};
    Bytes data{};
    std::optional<std::int64_t> result{};
  };

  explicit SimDiskTest(const SimDiskOptions& options = {})
      : disk_(options, SimImage(kSize, SimImage::Fill::noise)) {
    descriptor_ = world_.open(disk_, {.writes = true});
  }

  Call& start(FileOperation::Kind kind, std::uint64_t offset, Bytes data) {
    Call& call = calls_.emplace_back();
    call.data = std::move(data);
    call.operation.kind = kind;
    call.operation.descriptor = descriptor_;
    call.operation.mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    call.operation.data = call.data.data();
    call.operation.offset = offset;
    call.operation.length = call.data.size();
    call.operation.context = &call;
    call.operation.on_done = [](FileOperation& done, std::int64_t result) noexcept {
      static_cast<Call*>(done.context)->result = result;
    };
    reactor_.submit(call.operation);
    return call;
  }
  std::int64_t finish(Call& call) {
    EXPECT_TRUE(world_.run_until([&] { return call.result.has_value(); }));
    return call.result.value_or(-1);
  }
  std::int64_t write(std::uint64_t offset, Bytes data) {
    return finish(start(FileOperation::Kind::write, offset, std::move(data)));
  }
  std::int64_t zero(std::uint64_t offset, std::uint64_t length) {
    return finish(start(FileOperation::Kind::allocate, offset, Bytes(length)));
  }
  std::int64_t flush() { return finish(start(FileOperation::Kind::sync_data, 0, {})); }
  Bytes read(std::uint64_t offset, std::uint64_t length) {
    Call& call = start(FileOperation::Kind::read, offset, Bytes(length));
    EXPECT_EQ(finish(call), static_cast<std::int64_t>(length));
    return call.data;
  }

  /// What crashes leave of a range.
  std::set<Bytes> left_of(std::uint64_t offset, std::uint64_t length) {
    std::set<Bytes> seen;
    for (int i = 0; i < 300; ++i) {
      const SimImage image = disk_.after_crash(random_);
      if (image.size() >= offset + length) seen.insert(image.bytes(offset, length));
    }
    return seen;
  }

  SimDisk disk_;
  Simulation world_{1};
  SimReactor& reactor_ = world_.add_reactor();
  int descriptor_ = -1;
  std::list<Call> calls_;
  std::mt19937_64 random_{7};
};

TEST_F(SimDiskTest, WhatAFlushCoveredOutlivesEveryCrash) {
  const SimImage before = disk_.image();
  EXPECT_EQ(write(kSector, filled(3 * kSector, 1)), 3 * kSector);
  EXPECT_EQ(zero(2 * kSector, kSector), 0);
  EXPECT_EQ(flush(), 0);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(disk_.after_crash(random_), disk_.image());
  EXPECT_EQ(disk_.image().bytes(kSector, kSector), filled(kSector, 1));
  EXPECT_EQ(disk_.image().bytes(2 * kSector, kSector), filled(kSector, 0));
  EXPECT_EQ(disk_.image().first_difference(before, 4 * kSector, kSize), std::nullopt);
}

TEST_F(SimDiskTest, WhatWasNotFlushedIsKeptLostOrTornSectorBySector) {
  const Bytes before = disk_.image().bytes();
  write(kSector, filled(2 * kSector, 1));
  const auto seen = left_of(kSector, kSector);
  EXPECT_TRUE(seen.contains(filled(kSector, 1))) << "never kept";
  EXPECT_TRUE(seen.contains(Bytes(before.begin() + kSector, before.begin() + 2 * kSector)));
  EXPECT_GT(seen.size(), 10U) << "never torn";
  for (const Bytes& left : seen) {
    for (std::size_t i = 0; i < kSector; ++i)
      ASSERT_TRUE(left[i] == std::byte{1} || left[i] == before[kSector + i]);
  }
  bool apart = false;
  for (const Bytes& left : left_of(kSector, 2 * kSector))
    apart = apart || (left[0] == std::byte{1}) != (left[kSector] == std::byte{1});
  EXPECT_TRUE(apart) << "two sectors always shared one fate";
  // Nothing else changes.
  EXPECT_EQ(left_of(0, kSector).size(), 1U);
  EXPECT_EQ(left_of(3 * kSector, kSector).size(), 1U);
}

TEST_F(SimDiskTest, AFlushCoversWhatWasDoneWhenItBegan) {
  write(0, filled(kSector, 1));
  Call& flushing = start(FileOperation::Kind::sync_data, 0, {});
  Call& beside = start(FileOperation::Kind::write, kSector, filled(kSector, 2));
  finish(beside);
  finish(flushing);
  EXPECT_EQ(left_of(0, kSector), std::set<Bytes>{filled(kSector, 1)});
  EXPECT_GT(left_of(kSector, kSector).size(), 2U);
}

TEST_F(SimDiskTest, WhatIsInFlightMayHaveLanded) {
  start(FileOperation::Kind::write, 0, filled(kSector, 1));
  EXPECT_TRUE(left_of(0, kSector).contains(filled(kSector, 1)));
  EXPECT_GT(left_of(0, kSector).size(), 2U);
  EXPECT_NE(disk_.image().bytes(0, kSector), filled(kSector, 1)) << "readers see it too early";
}

// fsync(2) tells of lost pages once.
TEST_F(SimDiskTest, WhatAFailedFlushLostIsLostThoughTheNextOneSucceeds) {
  write(0, filled(16 * kSector, 1));
  disk_.rules().add({.operation = Operation::flush});
  EXPECT_EQ(flush(), -EIO);
  EXPECT_EQ(flush(), 0);
  EXPECT_EQ(read(0, 16 * kSector), filled(16 * kSector, 1));
  EXPECT_NE(left_of(0, 16 * kSector), std::set<Bytes>{filled(16 * kSector, 1)});
}

TEST_F(SimDiskTest, ListsWhatNoVolumeMayDo) {
  const int read_only = world_.open(disk_, {});
  start(FileOperation::Kind::write, 0, filled(2 * kSector, 1));
  start(FileOperation::Kind::read, kSector, filled(kSector, 0));
  Call& changed = start(FileOperation::Kind::write, 4 * kSector, filled(kSector, 1));
  changed.data[3] = std::byte{9};
  start(FileOperation::Kind::read, kSize - kSector, filled(2 * kSector, 0));
  descriptor_ = read_only;
  start(FileOperation::Kind::write, 8 * kSector, filled(kSector, 1));
  EXPECT_TRUE(world_.run_to_rest());
  ASSERT_EQ(disk_.breaches().size(), 4U);
  EXPECT_EQ(disk_.breaches()[0], "read of 512 at 512 overlaps one in flight");
  EXPECT_EQ(disk_.breaches()[1], "read of 1024 at 32256 leaves the disk");
  EXPECT_EQ(disk_.breaches()[2], "write of 512 at 4096 is not allowed");
  EXPECT_EQ(disk_.breaches()[3], "write of 512 at 2048 had its data changed in flight");
}

TEST_F(SimDiskTest, FaultsAreDoneAtTheMedium) {
  using Action = FaultRule::Action;
  const auto once = [&](FaultRule rule) { disk_.rules().add(rule); };
  once({.operation = Operation::write, .action = Action::refuse, .error = ENOSPC});
  EXPECT_EQ(write(0, filled(kSector, 1)), -ENOSPC);
  once({.operation = Operation::write, .action = Action::shorten});
  EXPECT_LT(write(0, filled(8 * kSector, 2)), 8 * kSector + 1);
  once({.operation = Operation::write, .action = Action::drop});
  const Bytes dropped = read(8 * kSector, kSector);
  EXPECT_EQ(write(8 * kSector, filled(kSector, 3)), kSector);
  EXPECT_EQ(read(8 * kSector, kSector), dropped);
  once({.operation = Operation::write, .action = Action::misdirect});
  EXPECT_EQ(write(8 * kSector, filled(kSector, 4)), kSector);
  EXPECT_EQ(read(8 * kSector, kSector), dropped);
  EXPECT_EQ(read(9 * kSector, kSector), filled(kSector, 4));
  once({.operation = Operation::write, .action = Action::corrupt});
  EXPECT_EQ(write(0, filled(kSector, 0)), kSector);
  const Bytes wrong = read(0, kSector);
  EXPECT_EQ(std::count(wrong.begin(), wrong.end(), std::byte{}), kSector - 1);
  once({.operation = Operation::write, .action = Action::distort});
  EXPECT_EQ(write(0, filled(kSector, 5)), -EIO);
  EXPECT_EQ(read(0, kSector), filled(kSector, 5));
  once({.operation = Operation::write, .action = Action::tear, .error = 0});
  EXPECT_EQ(write(0, filled(32 * kSector, 6)), 32 * kSector);
  const Bytes torn = read(0, 32 * kSector);
  const auto landed = std::count(torn.begin(), torn.end(), std::byte{6});
  EXPECT_GT(landed, 0);
  EXPECT_LT(landed, 32 * kSector);
  once({.operation = Operation::read, .action = Action::corrupt});
  EXPECT_NE(read(0, kSector), disk_.image().bytes(0, kSector));
  once({.operation = Operation::read, .action = Action::misdirect});
  EXPECT_EQ(read(0, kSector), disk_.image().bytes(kSector, kSector));
}

TEST_F(SimDiskTest, AHangEndsWhenItIsReleasedAndADelayWhenItIsOver) {
  disk_.rules().add({.action = FaultRule::Action::hang});
  disk_.rules().add({.action = FaultRule::Action::delay, .delay = std::chrono::hours(1)});
  Call& hangs = start(FileOperation::Kind::write, 0, filled(kSector, 1));
  Call& late = start(FileOperation::Kind::write, kSector, filled(kSector, 1));
  EXPECT_EQ(finish(late), kSector);
  EXPECT_GE(world_.elapsed(), std::chrono::hours(1));
  EXPECT_TRUE(world_.run_to_rest());
  EXPECT_FALSE(hangs.result);
  disk_.release();
  EXPECT_EQ(finish(hangs), kSector);
}

TEST_F(SimDiskTest, WithoutPowerNothingHasAnEffect) {
  const SimImage before = disk_.image();
  disk_.rules().add({.action = FaultRule::Action::hang});
  Call& hangs = start(FileOperation::Kind::write, 0, filled(kSector, 1));
  Call& reading = start(FileOperation::Kind::read, 2 * kSector, filled(kSector, 0));
  disk_.power_off();
  EXPECT_EQ(finish(hangs), -ENODEV);
  EXPECT_EQ(finish(reading), -ENODEV);
  EXPECT_EQ(write(0, filled(kSector, 1)), -ENODEV);
  EXPECT_EQ(flush(), -ENODEV);
  EXPECT_EQ(disk_.image(), before);
  EXPECT_EQ(disk_.after_crash(random_), before);
}

class SimFileTest : public SimDiskTest {
 protected:
  SimFileTest() : SimDiskTest({.grows = true}) {}
};

TEST_F(SimFileTest, LengthAndBytesOfWhatWasAppendedMayComeApart) {
  write(kSize, filled(2 * kSector, 1));
  EXPECT_EQ(disk_.image().size(), kSize + 2 * kSector);
  std::set<std::uint64_t> sizes;
  bool zeros = false;
  for (int i = 0; i < 300; ++i) {
    const SimImage left = disk_.after_crash(random_);
    sizes.insert(left.size());
    ASSERT_LE(left.size(), kSize + 2 * kSector);
    ASSERT_GE(left.size(), kSize);
    zeros = zeros || (left.size() > kSize && left.bytes(kSize, 1)[0] == std::byte{});
  }
  EXPECT_TRUE(sizes.contains(kSize));
  EXPECT_TRUE(sizes.contains(kSize + 2 * kSector));
  EXPECT_GT(sizes.size(), 10U);
  EXPECT_TRUE(zeros) << "never longer without its bytes";
  flush();
  EXPECT_EQ(disk_.after_crash(random_), disk_.image());
}

/// PosixVolume, with everything that a disk may do to it and no volume may show.
struct Medium {
  const char* name;
  bool is_block;
  bool direct;
  std::uint32_t sector;
};

void PrintTo(const Medium& medium, std::ostream* out) { *out << medium.name; }

class SimVolumeTest : public testing::TestWithParam<Medium> {};

TEST_P(SimVolumeTest, EveryRequestIsDoneWhole) {
  const Medium& medium = GetParam();
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    const std::uint64_t size = 256 * kKiB + (medium.is_block ? 0 : 1234);
    Bytes expected = SimImage(size, SimImage::Fill::noise).bytes();
    SimDisk disk({.sector = medium.sector,
                  .grows = !medium.is_block,
                  .refused_zero_steps = static_cast<unsigned>(seed % 3),
                  .short_one_in = 3,
                  .interrupt_one_in = 5,
                  .seed = seed},
                 SimImage(size, SimImage::Fill::noise));
    Simulation world(seed);
    Reactor& reactor = world.add_reactor();
    const auto volume = open_volume(world, disk,
                                    {.size = size,
                                     .is_block = medium.is_block,
                                     .writes = true,
                                     .direct = medium.direct,
                                     .sector = medium.sector});
    auto memory = PageMemory::create(4 * 64 * kKiB);
    ASSERT_TRUE(memory);
    for (int round = 0; round < 30; ++round) {
      // Four at once, in a quarter of the volume each.
      std::array<Request, 4> requests{};
      int done = 0;
      for (std::size_t i = 0; i < requests.size(); ++i) {
        const std::uint64_t begin = size / 4 / 4096 * 4096 * i;
        const std::uint64_t unit = random() % 2 == 0 ? 4096 : 1;
        Request& request = requests[i];
        request.operation = std::array{Operation::read, Operation::write, Operation::zero,
                                       Operation::flush}[random() % 4];
        request.context = &done;
        request.on_done = [](Request& answer) noexcept { ++*static_cast<int*>(answer.context); };
        if (request.operation != Operation::flush) {
          request.offset = begin + align_down(random() % (32 * kKiB), unit);
          request.length = std::max(align_down(random() % (16 * kKiB), unit), unit);
        }
        if (request.operation == Operation::read || request.operation == Operation::write)
          request.data =
              memory.value().bytes().subspan(i * 64 * kKiB + random() % 2 * 7, request.length);
        if (request.operation == Operation::write) {
          const Bytes data = random_bytes(request.length, random());
          std::copy(data.begin(), data.end(), request.data.begin());
        }
        volume->submit(reactor, request);
      }
      ASSERT_TRUE(world.run_until([&] { return done == 4; }));
      for (const Request& request : requests) {
        const auto place = expected.begin() + static_cast<std::ptrdiff_t>(request.offset);
        if (request.operation == Operation::zero && request.error == ENOTSUP) continue;
        ASSERT_EQ(request.error, 0) << name_of(request.operation);
        if (request.operation == Operation::write)
          std::copy(request.data.begin(), request.data.end(), place);
        if (request.operation == Operation::zero) std::fill_n(place, request.length, std::byte{});
        if (request.operation == Operation::read) {
          ASSERT_TRUE(std::equal(request.data.begin(), request.data.end(), place));
        }
      }
    }
    EXPECT_EQ(difference(expected, disk.image().bytes()), "");
    EXPECT_EQ(disk.breaches(), std::vector<std::string>{});
  }
}

// What was lost is told once by the medium, and by the volume ever after.
TEST_P(SimVolumeTest, NoFlushSucceedsAfterOneThatFailed) {
  const Medium& medium = GetParam();
  SimDisk disk({.sector = medium.sector, .grows = !medium.is_block}, SimImage(kSize));
  disk.rules().add({.operation = Operation::flush, .error = ENOSPC});
  Simulation world(1);
  Reactor& reactor = world.add_reactor();
  const auto volume = open_volume(world, disk,
                                  {.size = kSize,
                                   .is_block = medium.is_block,
                                   .writes = true,
                                   .direct = medium.direct,
                                   .sector = medium.sector});
  for (int i = 0; i < 3; ++i) {
    bool done = false;
    Request request{.operation = Operation::flush};
    request.context = &done;
    request.on_done = [](Request& answer) noexcept { *static_cast<bool*>(answer.context) = true; };
    volume->submit(reactor, request);
    ASSERT_TRUE(world.run_until([&] { return done; }));
    EXPECT_EQ(request.error, ENOSPC);
  }
}

INSTANTIATE_TEST_SUITE_P(Media, SimVolumeTest,
                         testing::Values(Medium{"Device512", true, true, 512},
                                         Medium{"Device4096", true, true, 4096},
                                         Medium{"File", false, true, 512},
                                         Medium{"FileThroughTheCache", false, false, 512}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace blockhaul::test
