// Faults that tests make must be the faults that they are taken for.

#include "volume/fault_volume.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/content.h"
#include "support/simulation.h"
#include "volume/memory_volume.h"

namespace blockhaul::test {
namespace {

using Action = FaultRule::Action;

constexpr std::size_t kSize = 64 * 1024;
constexpr std::size_t kPart = 16 * 1024;

class FaultVolumeTest : public testing::Test {
 protected:
  FaultVolumeTest() { medium_.bytes() = random_bytes(kSize, 1); }

  int run(Operation operation, std::uint64_t offset, Bytes& data) {
    Request request{.operation = operation, .offset = offset};
    if (operation != Operation::flush) request.length = kPart;
    if (operation == Operation::read || operation == Operation::write) request.data = data;
    done_ = false;
    request.context = &done_;
    request.on_done = [](Request& one) noexcept { *static_cast<bool*>(one.context) = true; };
    volume_.submit(reactor_, request);
    EXPECT_FALSE(done_) << "done inside submit()";
    EXPECT_TRUE(world_.run_until([&] { return done_; }));
    return request.error;
  }
  int write(std::uint64_t offset) { return run(Operation::write, offset, data_); }
  Bytes at(std::size_t offset, std::size_t length = kPart) {
    const auto begin = medium_.bytes().begin() + static_cast<std::ptrdiff_t>(offset);
    return {begin, begin + static_cast<std::ptrdiff_t>(length)};
  }
  static std::size_t differences(const Bytes& one, const Bytes& other) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < one.size(); ++i) count += one[i] == other[i] ? 0 : 1;
    return count;
  }

  Simulation world_{1};
  SimReactor& reactor_ = world_.add_reactor();
  MemoryVolume medium_{{.size = kSize}};
  FaultVolume volume_{medium_, 3};
  Bytes data_ = random_bytes(kPart, 2);
  bool done_ = false;
};

TEST_F(FaultVolumeTest, RefusesOrDistorts) {
  const Bytes before = at(0);
  volume_.add({.skip = 1, .error = ENOSPC});
  EXPECT_EQ(write(kPart), 0);
  EXPECT_EQ(write(0), ENOSPC);
  EXPECT_EQ(at(0), before);
  volume_.add({.action = Action::distort, .error = ETIMEDOUT});
  EXPECT_EQ(write(0), ETIMEDOUT);
  EXPECT_EQ(at(0), data_);
  EXPECT_EQ(volume_.faults().size(), 2U);
}

TEST_F(FaultVolumeTest, DoesAPart) {
  const Bytes before = at(0);
  volume_.add({.action = Action::shorten});
  EXPECT_EQ(write(0), EIO);
  const std::size_t left = differences(at(0), data_);
  EXPECT_GT(left, 0U);
  EXPECT_EQ(at(kPart - left, left),
            Bytes(before.end() - static_cast<std::ptrdiff_t>(left), before.end()));
  volume_.add({.action = Action::tear, .error = 0});
  EXPECT_EQ(write(kPart), 0);
  EXPECT_GT(differences(at(kPart), data_), 0U);
  EXPECT_LT(differences(at(kPart), data_), kPart);
}

TEST_F(FaultVolumeTest, LiesAboutWhatItDid) {
  const Bytes before = medium_.bytes();
  volume_.add({.action = Action::drop});
  EXPECT_EQ(write(0), 0);
  EXPECT_EQ(medium_.bytes(), before);
  volume_.add({.action = Action::misdirect});
  EXPECT_EQ(write(0), 0);
  EXPECT_EQ(at(kPart), data_);
  EXPECT_EQ(at(0), Bytes(before.begin(), before.begin() + kPart));
  volume_.add({.action = Action::corrupt});
  EXPECT_EQ(write(0), 0);
  EXPECT_EQ(differences(at(0), data_), 1U);
  Bytes read(kPart);
  volume_.add({.action = Action::corrupt});
  EXPECT_EQ(run(Operation::read, kPart, read), 0);
  EXPECT_EQ(differences(read, at(kPart)), 1U);
  volume_.add({.operation = Operation::flush, .action = Action::drop});
  EXPECT_EQ(run(Operation::flush, 0, read), 0);
  EXPECT_NE(medium_.log().back().operation, Operation::flush);
}

TEST_F(FaultVolumeTest, TakesItsTime) {
  volume_.add({.action = Action::delay, .delay = std::chrono::seconds(5)});
  EXPECT_EQ(write(0), 0);
  EXPECT_GE(world_.elapsed(), std::chrono::seconds(5));
  EXPECT_EQ(at(0), data_);
  volume_.add({.action = Action::hang});
  world_.call_at(std::chrono::hours(2), [&] { volume_.release(); });
  EXPECT_EQ(write(kPart), 0);
  EXPECT_GE(world_.elapsed(), std::chrono::hours(2));
}

TEST_F(FaultVolumeTest, GoesByChanceAndByState) {
  volume_.add({.times = FaultRule::kForEver, .error = EBUSY, .probability = 0.3, .state = 1});
  int failed = 0;
  for (int i = 0; i < 50; ++i) failed += write(0) != 0 ? 1 : 0;
  EXPECT_EQ(failed, 0);
  volume_.set_state(1);
  for (int i = 0; i < 200; ++i) failed += write(0) == EBUSY ? 1 : 0;
  EXPECT_GT(failed, 30);
  EXPECT_LT(failed, 100);
}

}  // namespace
}  // namespace blockhaul::test
