// What becomes of a copy when a request fails, at every place where one can.

#include "copy/copy_fixture.h"
#include "support/sanitizers.h"

namespace blockhaul::test {
namespace {

/// Every n-th request is made to fail: 1, all of them.
constexpr std::uint64_t kStep = kThreadSanitizer ? 5 : 1;

/// How a copy is run: one request after the other, many at once, and on several reactors.
struct Shape {
  const char* name;
  std::uint32_t requests;
  std::uint32_t lanes;
  ZeroState zero_state;
  bool refuses_zeroes;
};

void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

class CopyFaultTest : public testing::TestWithParam<Shape> {
 protected:
  [[nodiscard]] CopyStage stage(std::uint64_t seed) const {
    const Shape& shape = GetParam();
    MemoryVolumeOptions from{.size = content_.bytes.size(),
                             .extents = content_.extents,
                             .extents_per_answer = 2,
                             .seed = seed};
    MemoryVolumeOptions to{.size = content_.bytes.size() + 1000,
                           .zero_state = shape.zero_state,
                           .refuses_zeroes = shape.refuses_zeroes,
                           .seed = seed + 1};
    CopyOptions options{
        .request_size = 128 * kKiB, .requests = shape.requests, .lanes = shape.lanes};
    return {content_, from, to, options, seed};
  }

  /// How many requests each side gets when all goes well.
  std::pair<std::uint64_t, std::uint64_t> count_requests() {
    CopyStage all_well = stage(1);
    const CopyRun run = all_well.copy->run();
    all_well.check_success(content_, run);
    return {all_well.source.requests(), all_well.target.requests()};
  }

  void fail_nth(bool at_source, std::uint64_t nth, FaultRule::Action action, std::uint64_t times) {
    SCOPED_TRACE((at_source ? "read " : "request to the target ") + std::to_string(nth));
    CopyStage one = stage(nth + 1);
    FaultVolume& faulty = at_source ? one.source_faults : one.target_faults;
    const int error = nth % 2 == 0 ? EIO : ENOSPC;
    faulty.add({.skip = nth, .times = times, .action = action, .error = error});
    const CopyRun run = one.copy->run();
    one.check_invariants(content_, run);

    const std::vector<LoggedRequest> hit = faulty.faults();
    ASSERT_FALSE(hit.empty());
    ASSERT_TRUE(run.outcome.error) << "a failed " << name_of(hit.front().operation) << " at "
                                   << hit.front().offset << " was taken for success";
    const Error& reported = *run.outcome.error;
    EXPECT_EQ(reported.number, error);
    EXPECT_EQ(reported.side, at_source ? Side::source : Side::target);
    const bool named = std::any_of(hit.begin(), hit.end(), [&](const LoggedRequest& request) {
      const bool is_flush = request.operation == Operation::flush;
      return reported.operation == request.operation &&
             reported.offset == (is_flush ? -1 : static_cast<std::int64_t>(request.offset));
    });
    EXPECT_TRUE(named) << name_of(reported.operation) << " at " << reported.offset;
    EXPECT_EQ(run.state, CopyState::failed);
    EXPECT_EQ(run.outcome.digest, "");
    check_flushes(one, hit.front().operation == Operation::flush);
  }

  /// A flush after a failure would make durable what nobody may take for a copy.
  static void check_flushes(const CopyStage& one, bool flush_failed) {
    for (const LoggedRequest& request : one.target.log()) {
      if (!flush_failed) {
        EXPECT_NE(request.operation, Operation::flush) << "a flush after a failure";
      }
    }
  }

  const Content content_ = varied_content();
};

TEST_P(CopyFaultTest, SucceedsWithoutFaults) { count_requests(); }

TEST_P(CopyFaultTest, AFaultAtEveryReadEndsTheCopy) {
  const auto [reads, writes] = count_requests();
  ASSERT_GT(reads, 5U);
  for (std::uint64_t nth = 0; nth < reads; nth += kStep)
    fail_nth(true, nth, FaultRule::Action::refuse, 1);
}

// ENOTSUP ladders aside, the target's requests are writes, zeros and the flush: each may fail.
TEST_P(CopyFaultTest, AFaultAtEveryRequestToTheTargetEndsTheCopy) {
  const auto [reads, writes] = count_requests();
  ASSERT_GT(writes, 5U);
  for (std::uint64_t nth = 0; nth < writes; nth += kStep)
    fail_nth(false, nth, FaultRule::Action::refuse, 1);
}

TEST_P(CopyFaultTest, ALastingFaultEndsTheCopyOnce) {
  const auto [reads, writes] = count_requests();
  for (std::uint64_t nth = 0; nth < reads; nth += kStep)
    fail_nth(true, nth, FaultRule::Action::refuse, FaultRule::kForEver);
  for (std::uint64_t nth = 0; nth < writes; nth += kStep)
    fail_nth(false, nth, FaultRule::Action::refuse, FaultRule::kForEver);
}

// What was done but reported as failed counts as failed.
TEST_P(CopyFaultTest, ARequestThatIsDoneAndReportedAsFailedIsAFailure) {
  if (GetParam().refuses_zeroes) return;  // its zero requests are not done, whatever is reported
  const auto [reads, writes] = count_requests();
  for (std::uint64_t nth = 0; nth < writes; nth += 2)
    fail_nth(false, nth, FaultRule::Action::distort, 1);
}

TEST_P(CopyFaultTest, ZeroesThatAreNotSupportedAreWrittenInstead) {
  for (std::uint64_t nth = 0; nth < 4; ++nth) {
    CopyStage one = stage(nth + 1);
    one.target_faults.add({.operation = Operation::zero,
                           .skip = nth,
                           .times = nth == 3 ? FaultRule::kForEver : 1,
                           .error = ENOTSUP});
    one.check_success(content_, one.copy->run());
  }
}

// Only a zero request may be refused with ENOTSUP; from others it is an error like any.
TEST_P(CopyFaultTest, OtherRequestsThatAreNotSupportedAreErrors) {
  for (const Operation operation : {Operation::write, Operation::flush}) {
    CopyStage one = stage(3);
    one.target_faults.add({.operation = operation, .skip = 0, .error = ENOTSUP});
    const CopyRun run = one.copy->run();
    one.check_invariants(content_, run);
    ASSERT_TRUE(run.outcome.error);
    EXPECT_EQ(run.outcome.error->number, ENOTSUP);
    EXPECT_EQ(run.outcome.error->operation, operation);
  }
}

TEST_P(CopyFaultTest, AMapThatFailsAnywhereCostsOnlyReads) {
  for (std::uint64_t nth = 0; nth < 4; ++nth) {
    CopyStage one = stage(nth + 1);
    one.source_faults.add({.operation = Operation::map, .skip = nth});
    const CopyRun run = one.copy->run();
    one.check_success(content_, run);
    EXPECT_EQ(run.outcome.map_failures, 1U);
  }
}

// The outcome waits for what is in flight, however long, and comes when that is done.
TEST_P(CopyFaultTest, TheOutcomeWaitsForARequestThatHangs) {
  for (const bool at_source : {true, false}) {
    CopyStage one = stage(5);
    FaultVolume& faulty = at_source ? one.source_faults : one.target_faults;
    faulty.add({.action = FaultRule::Action::hang});
    faulty.add({.times = FaultRule::kForEver, .error = EIO});
    const auto failed = [&] { return one.copy->job().progress().state == CopyState::failed; };
    one.copy->start();
    EXPECT_FALSE(one.copy->run_until(failed)) << "an outcome while a request was in flight";
    EXPECT_EQ(faulty.in_flight(), 1U);
    faulty.release();
    EXPECT_TRUE(one.copy->run_until(failed));
    const CopyRun run = one.copy->finish();
    one.check_invariants(content_, run);
    ASSERT_TRUE(run.outcome.error);
    EXPECT_EQ(run.outcome.error->side, at_source ? Side::source : Side::target);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, CopyFaultTest,
    testing::Values(Shape{"OneByOne", 1, 1, ZeroState::unknown, false},
                    Shape{"ManyAtOnce", 16, 1, ZeroState::unknown, false},
                    Shape{"OntoProvenZeros", 8, 1, ZeroState::proven_zero, false},
                    Shape{"OntoWhatRefusesZeroes", 8, 1, ZeroState::unknown, true},
                    Shape{"ThreeLanes", 9, 3, ZeroState::unknown, false}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace blockhaul::test
