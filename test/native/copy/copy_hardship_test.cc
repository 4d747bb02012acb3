// What a copy does about requests that fail for a while, places that cannot be read, and requests
// that never come back.

#include "copy/copy_fixture.h"
#include "core/retry.h"
#include "support/reactor_host.h"

namespace blockhaul::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kRequest = 128 * kKiB;

class CopyHardshipTest : public testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<CopyStage> stage(CopyOptions options,
                                                 std::uint64_t seed = 1) const {
    options.request_size = kRequest;
    options.requests = 6;
    const MemoryVolumeOptions from{
        .size = content_.bytes.size(), .extents = content_.extents, .seed = seed};
    const MemoryVolumeOptions to{.size = content_.bytes.size(), .seed = seed + 1};
    return std::make_unique<CopyStage>(content_, from, to, options, seed);
  }

  const Content content_ = varied_content();
};

TEST_F(CopyHardshipTest, TriesOnceMoreWhatMayPass) {
  for (const int error : {EINTR, EAGAIN, EBUSY, ENOMEM, ENOBUFS, ETIMEDOUT}) {
    for (const bool at_source : {true, false}) {
      auto one = stage({.retries = 3});
      (at_source ? one->source_faults : one->target_faults)
          .add({.skip = 2, .times = 3, .error = error});
      const CopyRun run = one->copy->run();
      one->check_success(content_, run);
      EXPECT_GE(one->copy->job().progress().retries, 1U);
      EXPECT_LE(one->copy->job().progress().retries, 3U);
    }
  }
}

TEST_F(CopyHardshipTest, GivesUpAfterSoManyRetriesWithTheErrorThatItMet) {
  auto one = stage({.retries = 4});
  one->target_faults.add({.operation = Operation::write,
                          .offset = 640 * kKiB,
                          .length = 1,
                          .times = FaultRule::kForEver,
                          .error = EBUSY});
  const CopyRun run = one->copy->run();
  one->check_invariants(content_, run);
  ASSERT_TRUE(run.outcome.error);
  EXPECT_EQ(run.outcome.error->number, EBUSY);
  EXPECT_EQ(run.outcome.error->side, Side::target);
  EXPECT_EQ(one->copy->job().progress().retries, 4U);
  EXPECT_EQ(one->target_faults.faults().size(), 5U) << "the request itself, and four retries";
  EXPECT_GE(run.took, retry_delay(0) + retry_delay(1) + retry_delay(2) + retry_delay(3));
}

// Every read fails once, and each of them may be made once more: they do not add up.
TEST_F(CopyHardshipTest, CountsTheRetriesOfEachRequestAnew) {
  auto one = stage({.use_extents = false, .retries = 1});
  for (std::uint64_t at = 0; at < content_.bytes.size(); at += kRequest)
    one->source_faults.add(
        {.operation = Operation::read, .offset = at, .length = 1, .error = EBUSY});
  const CopyRun run = one->copy->run();
  one->check_success(content_, run);
  EXPECT_EQ(one->copy->job().progress().retries, divide_up(content_.bytes.size(), kRequest));
}

// What is made once more has the whole deadline again, and the pause before it does not count.
TEST_F(CopyHardshipTest, GivesARetryADeadlineOfItsOwn) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const CopyOptions options{
        .request_size = kRequest, .requests = 4, .retries = 5, .request_timeout = seconds(1)};
    const MemoryVolumeOptions from{
        .size = content_.bytes.size(), .longest_delay = milliseconds(900), .seed = seed};
    CopyStage one(content_, from, {.size = content_.bytes.size()}, options, seed);
    one.source_faults.add({.operation = Operation::read,
                           .offset = 640 * kKiB,
                           .length = 1,
                           .times = 5,
                           .error = EBUSY});
    one.check_success(content_, one.copy->run());
  }
}

TEST_F(CopyHardshipTest, DoesNotRetryWhatWillNotPass) {
  for (const int error : {EIO, ENOSPC, ENODEV, EROFS, ENXIO}) {
    auto one = stage({.retries = 5});
    one->target_faults.add({.skip = 1, .error = error});
    const CopyRun run = one->copy->run();
    ASSERT_TRUE(run.outcome.error);
    EXPECT_EQ(run.outcome.error->number, error);
    EXPECT_EQ(one->copy->job().progress().retries, 0U);
  }
}

TEST_F(CopyHardshipTest, StopsAtOnceWhileItWaitsForARetry) {
  auto one = stage({.retries = 1000});
  one->target_faults.add({.times = FaultRule::kForEver, .error = EAGAIN});
  one->world.call_at(milliseconds(250), [&] { one->copy->job().cancel(); });
  const CopyRun run = one->copy->run();
  one->check_invariants(content_, run);
  EXPECT_EQ(run.state, CopyState::cancelled);
  EXPECT_LT(run.took, milliseconds(260));
}

TEST_F(CopyHardshipTest, MakesZerosOfWhatCannotBeReadAndListsIt) {
  auto one = stage({.salvage = true});
  // Two places in data: one within a block, one over a border of two blocks.
  const std::vector<Range> bad = {{100 * kKiB + 700, 5}, {800 * kKiB - 1, 2}};
  for (const Range& range : bad)
    one->source_faults.add({.operation = Operation::read,
                            .offset = range.offset,
                            .length = range.length,
                            .times = FaultRule::kForEver});
  const CopyRun run = one->copy->run();
  ASSERT_TRUE(run.ended);
  ASSERT_FALSE(run.outcome.error);
  EXPECT_EQ(run.outcome.bad, (std::vector<Range>{{100 * kKiB, 4 * kKiB}, {796 * kKiB, 8 * kKiB}}));
  Bytes expected = content_.bytes;
  for (const Range& range : run.outcome.bad)
    std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(range.offset), range.length,
                std::byte{});
  EXPECT_EQ(difference(expected, one->target_bytes()), "");
  EXPECT_EQ(run.outcome.digest, reference_digest(DigestKind::xxh3, expected)) << "of the target";
}

// With one buffer for all of the copy: what stood in it must not come out in a bad block's place.
TEST_F(CopyHardshipTest, MakesZerosInABufferThatWasUsedBefore) {
  const Content content = content_of(kMiB, {{0, kMiB, ExtentKind::data}}, 4);
  CopyStage one(content, {.size = kMiB}, {.size = kMiB},
                {.request_size = kRequest, .requests = 1, .salvage = true}, 1);
  one.source_faults.add({.operation = Operation::read,
                         .offset = 520 * kKiB,
                         .length = 1,
                         .times = FaultRule::kForEver});
  const CopyRun run = one.copy->run();
  ASSERT_FALSE(run.outcome.error);
  Bytes expected = content.bytes;
  std::fill_n(expected.begin() + 520 * kKiB, 4 * kKiB, std::byte{});
  EXPECT_EQ(difference(expected, one.target_bytes()), "");
}

TEST_F(CopyHardshipTest, SalvagesNothingFromAnErrorThatIsNotThePlaces) {
  for (const int error : {ENODEV, EACCES, ENXIO}) {
    auto one = stage({.salvage = true});
    one->source_faults.add({.skip = 3, .error = error});
    const CopyRun run = one->copy->run();
    one->check_invariants(content_, run);
    ASSERT_TRUE(run.outcome.error);
    EXPECT_EQ(run.outcome.error->number, error);
    EXPECT_EQ(run.outcome.bad, std::vector<Range>{});
  }
}

TEST_F(CopyHardshipTest, StopsWhileItSalvages) {
  auto one = stage({.salvage = true});
  one->source_faults.add(
      {.operation = Operation::read, .times = FaultRule::kForEver, .error = EIO});
  one->target_faults.add({.operation = Operation::write, .error = ENOSPC});
  const CopyRun run = one->copy->run();
  ASSERT_TRUE(run.ended);
  EXPECT_EQ(run.faults, std::vector<std::string>{});
}

/// A request hangs, at either side: the copy ends in time, and says what hangs.
TEST_F(CopyHardshipTest, IsGivenUpWhenARequestHangs) {
  for (const auto operation :
       {Operation::read, Operation::write, Operation::zero, Operation::flush}) {
    SCOPED_TRACE(std::string(name_of(operation)));
    auto one = stage({.request_timeout = seconds(30)});
    FaultVolume& faulty = operation == Operation::read ? one->source_faults : one->target_faults;
    faulty.add({.operation = operation, .action = FaultRule::Action::hang});
    std::vector<CopyOutcome> outcomes;
    bool drained = false;
    CopyJob& job = one->copy->job();
    SimReactor& reactor = one->world.add_reactor();
    ASSERT_TRUE(job.start(
        {&reactor}, [&](CopyOutcome outcome) { outcomes.push_back(outcome); },
        [&] { drained = true; }));
    ASSERT_TRUE(one->world.run_until([&] { return !outcomes.empty(); })) << "it hangs, too";
    EXPECT_LE(one->world.elapsed(), seconds(60)) << "a deadline, and a quarter at the most";
    ASSERT_TRUE(outcomes[0].error);
    EXPECT_EQ(outcomes[0].error->number, ETIMEDOUT);
    EXPECT_EQ(outcomes[0].error->operation, operation);
    EXPECT_EQ(outcomes[0].error->side, operation == Operation::read ? Side::source : Side::target);
    EXPECT_TRUE(outcomes[0].abandoned);
    EXPECT_FALSE(drained);
    one->world.run_to_rest();
    EXPECT_FALSE(drained) << "it still hangs";
    post(reactor, [&] { faulty.release(); });
    EXPECT_TRUE(one->world.run_until([&] { return drained; }));
    one->world.run_to_rest();
    EXPECT_EQ(outcomes.size(), 1U);
    EXPECT_EQ(one->source.in_flight() + one->target.in_flight(), 0U);
    for (const LoggedRequest& request : one->source.log())
      EXPECT_EQ(request.operation, Operation::read);
  }
}

TEST_F(CopyHardshipTest, WaitsForWhatIsWithinItsDeadlineBeforeItGivesUpTheRest) {
  auto one = stage({.request_timeout = seconds(30)});
  one->source_faults.add({.operation = Operation::read, .action = FaultRule::Action::hang});
  one->source_faults.add(
      {.operation = Operation::read, .skip = 1, .times = 1, .action = FaultRule::Action::hang});
  std::optional<CopyOutcome> outcome;
  SimReactor& reactor = one->world.add_reactor();
  ASSERT_TRUE(one->copy->job().start({&reactor}, [&](CopyOutcome one) { outcome = one; }));
  // Cancelled long before: the drain has the request's own deadline.
  one->world.call_at(seconds(5), [&] { one->copy->job().cancel(); });
  ASSERT_TRUE(one->world.run_until([&] { return outcome.has_value(); }));
  EXPECT_EQ(outcome->error->code, "ERR_CANCELLED");
  EXPECT_TRUE(outcome->abandoned);
  EXPECT_GE(one->world.elapsed(), seconds(30));
  EXPECT_LE(one->world.elapsed(), seconds(45));
  post(reactor, [&] { one->source_faults.release(); });
  one->world.run_to_rest();
}

// One lane hangs in a read, another in a write: the first that comes back is not the last.
TEST_F(CopyHardshipTest, IsDrainedWhenTheLastLaneIs) {
  const CopyOptions options{
      .request_size = kRequest, .requests = 2, .lanes = 2, .request_timeout = seconds(30)};
  const std::uint64_t size = content_.bytes.size();
  CopyStage one(content_, {.size = size}, {.size = size}, options, 1);
  one.source_faults.add({.operation = Operation::read, .action = FaultRule::Action::hang});
  one.target_faults.add({.times = FaultRule::kForEver, .action = FaultRule::Action::hang});
  bool ended = false;
  bool drained = false;
  SimReactor& first = one.world.add_reactor();
  SimReactor& second = one.world.add_reactor();
  ASSERT_TRUE(one.copy->job().start(
      {&first, &second}, [&](const CopyOutcome& outcome) { ended = outcome.abandoned; },
      [&] { drained = true; }));
  ASSERT_TRUE(one.world.run_until([&] { return ended; }));
  post(first, [&] { one.source_faults.release(); });
  one.world.run_to_rest();
  EXPECT_FALSE(drained) << "the other one still hangs";
  post(first, [&] { one.target_faults.release(); });
  EXPECT_TRUE(one.world.run_until([&] { return drained; }));
}

TEST_F(CopyHardshipTest, IsNotGivenUpWhereWhatHungComesBackInTime) {
  auto one = stage({.request_timeout = seconds(30)});
  one->target_faults.add({.operation = Operation::write, .action = FaultRule::Action::hang});
  one->world.call_at(seconds(20), [&] { one->target_faults.release(); });
  const CopyRun run = one->copy->run();
  one->check_success(content_, run);
}

TEST_F(CopyHardshipTest, EndsWhenNothingMovesAtAll) {
  auto one = stage({.stall_limit = seconds(60)});
  one->target_faults.add({.operation = Operation::write,
                          .times = FaultRule::kForEver,
                          .action = FaultRule::Action::hang});
  std::optional<CopyOutcome> outcome;
  SimReactor& reactor = one->world.add_reactor();
  ASSERT_TRUE(one->copy->job().start({&reactor}, [&](CopyOutcome one) { outcome = one; }));
  ASSERT_TRUE(one->world.run_until([&] { return outcome.has_value(); }));
  EXPECT_EQ(outcome->error->number, ETIMEDOUT);
  EXPECT_TRUE(outcome->abandoned);
  EXPECT_LE(one->world.elapsed(), seconds(76));
  post(reactor, [&] { one->target_faults.release(); });
  one->world.run_to_rest();
}

TEST_F(CopyHardshipTest, DoesNotCallAPauseOrALimitAStall) {
  auto one = stage({.bandwidth_limit = 20 * kKiB, .stall_limit = seconds(2)});
  CopyJob& job = one->copy->job();
  one->world.call_at(seconds(10), [&] { job.set_paused(true); });
  std::uint64_t paused_at = 0;
  std::uint64_t paused_for = 0;
  one->world.call_at(seconds(20), [&] { paused_at = job.progress().done(); });
  one->world.call_at(seconds(100), [&] {
    paused_for = job.progress().done();
    job.set_bandwidth_limit(0);
    job.set_paused(false);
  });
  const CopyRun run = one->copy->run();
  one->check_success(content_, run);
  EXPECT_EQ(paused_at, paused_for) << "something went on while it was paused";
  EXPECT_GE(run.took, seconds(100));
}

TEST_F(CopyHardshipTest, BeginsNoMorePiecesASecondThanItMay) {
  auto one = stage({.use_extents = false, .iops_limit = 2});
  const CopyRun run = one->copy->run();
  one->check_success(content_, run);
  const auto pieces = divide_up(content_.bytes.size(), kRequest);
  EXPECT_GE(run.took, milliseconds(500) * (pieces - 1));
  EXPECT_LE(run.took, milliseconds(500) * (pieces + 1));
}

TEST_F(CopyHardshipTest, CopiesARangeAndLeavesTheRestAlone) {
  const std::uint64_t size = 3 * kChunk + 777;
  const Content content = alternating(size, 300 * kKiB, 5);
  for (const auto& [begin, end] :
       std::vector<std::pair<std::uint64_t, std::uint64_t>>{{0, kChunk},
                                                            {kChunk, 2 * kChunk},
                                                            {kChunk, size},
                                                            {3 * kChunk, size},
                                                            {kChunk, kChunk}}) {
    CopyOptions options{.begin = begin, .end = end, .requests = 8};
    CopyStage one(content, {.size = size, .extents = content.extents}, {.size = size}, options, 3);
    const CopyRun run = one.copy->run();
    one.check_invariants(content, run);
    ASSERT_FALSE(run.outcome.error);
    EXPECT_EQ(run.done(), end - begin);
    EXPECT_EQ(run.outcome.digest, "") << "the whole is not known";
    Bytes expected = one.before;
    std::copy_n(content.bytes.begin() + static_cast<std::ptrdiff_t>(begin), end - begin,
                expected.begin() + static_cast<std::ptrdiff_t>(begin));
    EXPECT_EQ(difference(expected, one.target_bytes()), "");
  }
}

}  // namespace
}  // namespace blockhaul::test
