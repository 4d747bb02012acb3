// Copies on real threads and real reactors: what the simulation cannot show, races above all.

#include "copy/copy_threads.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "copy/logged.h"
#include "support/content.h"
#include "support/fake_bridge.h"
#include "support/temporary.h"
#include "volume/fault_volume.h"
#include "volume/synthetic_volume.h"

namespace blockhaul::test {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

/// A copy whose outcome can be waited for.
class RunningCopy {
 public:
  RunningCopy(std::shared_ptr<Volume> source, std::shared_ptr<Volume> target,
              const CopyOptions& options) {
    auto outcome = std::make_shared<std::promise<CopyOutcome>>();
    outcome_ = outcome->get_future();
    auto started = CopyThreads::start(
        {std::move(source), std::move(target), nullptr}, options,
        [outcome](CopyOutcome result) { outcome->set_value(std::move(result)); });
    EXPECT_TRUE(started);
    threads_ = std::move(started.value());
  }

  CopyJob& job() { return threads_->job(); }
  CopyThreads& threads() { return *threads_; }
  [[nodiscard]] bool ends_within(std::chrono::milliseconds time) {
    return outcome_.wait_for(time) == std::future_status::ready;
  }
  CopyOutcome outcome() { return outcome_.get(); }
  void destroy() { threads_.reset(); }

 private:
  std::future<CopyOutcome> outcome_;
  std::unique_ptr<CopyThreads> threads_;
};

struct Ends {
  Content content{};
  std::shared_ptr<MemoryVolume> source{};
  std::shared_ptr<MemoryVolume> target{};

  explicit Ends(std::size_t size, microseconds longest_delay = microseconds(200)) {
    content = alternating(size, 96 * kKiB, 1);
    source = std::make_shared<MemoryVolume>(MemoryVolumeOptions{.size = size,
                                                                .extents = content.extents,
                                                                .extents_per_answer = 2,
                                                                .longest_delay = longest_delay});
    source->bytes() = content.bytes;
    target = std::make_shared<MemoryVolume>(
        MemoryVolumeOptions{.size = size, .longest_delay = longest_delay});
    target->bytes() = random_bytes(size, 2);
  }
  [[nodiscard]] CopyOptions options(std::uint32_t lanes, std::uint32_t requests = 12) const {
    return {
        .size = content.bytes.size(), .request_size = kLeaf, .requests = requests, .lanes = lanes};
  }
  void expect_clean() const {
    EXPECT_EQ(source->faults(), std::vector<std::string>{});
    EXPECT_EQ(target->faults(), std::vector<std::string>{});
    EXPECT_EQ(source->in_flight() + target->in_flight(), 0U);
  }
};

TEST(CopyThreadsTest, CopiesOnAnyNumberOfLanes) {
  for (const std::uint32_t lanes : {1U, 2U, 4U}) {
    const Ends ends(3 * kMiB + 5);
    RunningCopy copy(ends.source, ends.target, ends.options(lanes));
    const CopyOutcome outcome = copy.outcome();
    EXPECT_FALSE(outcome.error);
    EXPECT_EQ(outcome.digest, reference_digest(DigestKind::xxh3, ends.content.bytes));
    EXPECT_EQ(copy.job().progress().state, CopyState::done);
    EXPECT_EQ(copy.job().progress().done(), ends.content.bytes.size());
    EXPECT_EQ(difference(ends.content.bytes, ends.target->bytes()), "");
    ends.expect_clean();
  }
}

// From before its lanes are made to after its end; one that hangs or crashes is found here, a data
// race by the thread sanitizer.
TEST(CopyThreadsTest, CanBeCancelledAtAnyMoment) {
  for (int round = 0; round < 60; ++round) {
    const Ends ends(kMiB, microseconds(50));
    RunningCopy copy(ends.source, ends.target, ends.options(1 + static_cast<unsigned>(round) % 4));
    if (round % 3 != 0) std::this_thread::sleep_for(microseconds(round * 40));
    copy.job().cancel();
    ASSERT_TRUE(copy.ends_within(seconds(30))) << "round " << round << " hangs";
    const CopyOutcome outcome = copy.outcome();
    if (outcome.error) {
      EXPECT_EQ(outcome.error->code, "ERR_CANCELLED");
    } else {
      EXPECT_EQ(difference(ends.content.bytes, ends.target->bytes()), "");
    }
    ends.expect_clean();
  }
}

TEST(CopyThreadsTest, DestroyingItCancelsAndWaits) {
  for (int round = 0; round < 30; ++round) {
    const Ends ends(kMiB, microseconds(50));
    RunningCopy copy(ends.source, ends.target, ends.options(2));
    if (round % 2 == 0) std::this_thread::sleep_for(microseconds(round * 50));
    copy.destroy();
    ASSERT_TRUE(copy.ends_within(seconds(0)));
    ends.expect_clean();
  }
}

TEST(CopyThreadsTest, ProgressAndLimitsMayBeTouchedFromOutsideAllTheTime) {
  const Ends ends(2 * kMiB, microseconds(300));
  RunningCopy copy(ends.source, ends.target, ends.options(3));
  std::uint64_t last = 0;
  for (std::uint64_t i = 0; !copy.ends_within(std::chrono::milliseconds(0)); ++i) {
    const std::uint64_t done = copy.job().progress().done();
    EXPECT_GE(done, last);
    last = done;
    copy.job().set_bandwidth_limit(i % 2 == 0 ? 500 * kMiB : 0);
  }
  EXPECT_FALSE(copy.outcome().error);
  EXPECT_EQ(difference(ends.content.bytes, ends.target->bytes()), "");
}

TEST(CopyThreadsTest, ManyCopiesGoOnAtOnce) {
  constexpr int kCopies = 12;
  std::vector<std::unique_ptr<Ends>> ends;
  std::vector<std::unique_ptr<RunningCopy>> copies;
  for (int i = 0; i < kCopies; ++i) {
    ends.push_back(std::make_unique<Ends>(512 * kKiB + static_cast<std::size_t>(i)));
    copies.push_back(std::make_unique<RunningCopy>(ends.back()->source, ends.back()->target,
                                                   ends.back()->options(2)));
  }
  for (int i = 0; i < kCopies; ++i) {
    const auto at = static_cast<std::size_t>(i);
    EXPECT_FALSE(copies[at]->outcome().error);
    EXPECT_EQ(difference(ends[at]->content.bytes, ends[at]->target->bytes()), "");
  }
}

TEST(CopyThreadsTest, LeavesNoThreadAndNoDescriptorBehind) {
  const std::size_t descriptors = open_descriptors();
  for (int i = 0; i < 20; ++i) {
    RunningCopy copy(make_pattern_volume(kMiB, 1), make_null_volume(kMiB),
                     {.size = kMiB, .request_size = kLeaf, .lanes = 3});
    EXPECT_FALSE(copy.outcome().error);
  }
  EXPECT_EQ(open_descriptors(), descriptors);
}

TEST(CopyThreadsTest, RefusesToStartWithIoThatItDoesNotKnow) {
  const char* before = std::getenv("BLOCKHAUL_IO");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("BLOCKHAUL_IO", "carrier pigeons", 1);
  auto started =
      CopyThreads::start({make_zero_volume(1), make_null_volume(1), nullptr}, {.size = 1},
                         [](const CopyOutcome&) { FAIL() << "an outcome"; });
  ::setenv("BLOCKHAUL_IO", kept.c_str(), 1);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().number, EINVAL);
}

/// A source in JavaScript whose map gives one part and then waits, and a target that may fail.
class SlowMapTest : public testing::Test {
 protected:
  SlowMapTest() {
    VolumeInfo info;
    info.size = kMiB;
    info.maps_extents = true;
    bridge_ = std::make_shared<FakeBridge>(random_bytes(kMiB, 1));
    bridge_->set_extents({{0, 512 * kKiB, ExtentKind::data}});
    bridge_->hold(
        [](const JsCall& call) { return call.operation == Operation::map && call.offset > 0; });
    source_ = std::make_shared<JsVolume>(info, bridge_);
    memory_ = std::make_shared<MemoryVolume>(MemoryVolumeOptions{.size = kMiB});
    target_ = std::make_shared<FaultVolume>(*memory_);
  }

  const CopyOptions options_{.size = kMiB, .request_size = kLeaf};
  std::shared_ptr<FakeBridge> bridge_;
  std::shared_ptr<JsVolume> source_;
  std::shared_ptr<MemoryVolume> memory_;
  std::shared_ptr<FaultVolume> target_;
};

TEST_F(SlowMapTest, DestroyingTheCopyDoesNotWaitForTheMap) {
  RunningCopy copy(source_, target_, options_);
  bridge_->wait_for_held(1);
  copy.destroy();
  ASSERT_TRUE(copy.ends_within(seconds(0)));
  EXPECT_EQ(copy.outcome().error->code, "ERR_CANCELLED");
  bridge_->release();
}

// The target's disk is full: that is to be said now, not when the source's map has come.
TEST_F(SlowMapTest, AFailureDoesNotWaitForTheMap) {
  target_->add({.skip = 3, .error = ENOSPC});
  RunningCopy copy(source_, target_, options_);
  EXPECT_TRUE(copy.ends_within(seconds(20))) << "the outcome waits for a map that nobody needs";
  bridge_->release();
  EXPECT_EQ(copy.outcome().error->number, ENOSPC);
}

// The cancel may come in any moment of the map's, also right before its query begins.
TEST_F(SlowMapTest, ACancelDoesNotWaitForTheMap) {
  for (int round = 0; round < 40; ++round) {
    RunningCopy copy(source_, target_, options_);
    std::this_thread::sleep_for(microseconds(round % 2 == 0 ? 0 : round * 25));
    copy.job().cancel();
    const bool ends = copy.ends_within(seconds(20));
    if (!ends) bridge_->release();
    ASSERT_TRUE(ends) << "round " << round;
    EXPECT_EQ(copy.outcome().error->code, "ERR_CANCELLED");
  }
  bridge_->release();
}

}  // namespace
}  // namespace blockhaul::test
