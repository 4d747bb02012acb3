// Cancelling, at every moment at which something completes and around the beginning and the end.

#include "copy/copy_fixture.h"
#include "support/sanitizers.h"

namespace blockhaul::test {
namespace {

struct Shape {
  const char* name;
  std::uint32_t requests;
  std::uint32_t lanes;
  ZeroState zero_state;
};

void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

class CopyCancelTest : public testing::TestWithParam<Shape> {
 protected:
  [[nodiscard]] CopyStage stage(std::uint64_t seed, std::uint64_t bandwidth = 0) const {
    const Shape& shape = GetParam();
    MemoryVolumeOptions from{
        .size = content_.bytes.size(), .extents = content_.extents, .seed = seed};
    MemoryVolumeOptions to{.size = content_.bytes.size(),
                           .zero_state = shape.zero_state,
                           .refuses_zeroes = seed % 2 == 0,
                           .seed = seed + 1};
    CopyOptions options{.request_size = 64 * kKiB,
                        .requests = shape.requests,
                        .lanes = shape.lanes,
                        .bandwidth_limit = bandwidth};
    return {content_, from, to, options, seed};
  }

  void check_cancelled(const CopyStage& one, const CopyRun& run) const {
    one.check_invariants(content_, run);
    ASSERT_TRUE(run.outcome.error) << "a copy that was cancelled says that it is done";
    EXPECT_EQ(run.outcome.error->code, "ERR_CANCELLED");
    EXPECT_EQ(run.outcome.error->number, ECANCELED);
    EXPECT_EQ(run.outcome.error->side, Side::none);
    EXPECT_EQ(run.state, CopyState::cancelled);
    EXPECT_EQ(run.outcome.digest, "");
  }

  const Content content_ = varied_content();
};

TEST_P(CopyCancelTest, AtEveryCompletion) {
  for (std::uint64_t nth = 1;; nth += kThreadSanitizer ? 5 : 1) {
    SCOPED_TRACE("completion " + std::to_string(nth));
    CopyStage one = stage(nth % 7);
    std::uint64_t completions = 0;
    std::uint64_t begun = 0;
    bool cancelled = false;
    const auto count = [&](const LoggedRequest&) {
      if (++completions != nth) return;
      cancelled = true;
      begun = one.source.requests() + one.target.requests();
      one.copy->job().cancel();
      one.copy->job().cancel();
    };
    one.source.on_complete(count);
    one.target.on_complete(count);
    const CopyRun run = one.copy->run();
    if (!cancelled) {
      one.check_success(content_, run);
      EXPECT_GT(nth, 20U);
      return;
    }
    check_cancelled(one, run);
    EXPECT_EQ(one.source.requests() + one.target.requests(), begun)
        << "something was begun after the cancel";
    if (HasFatalFailure()) return;
  }
}

TEST_P(CopyCancelTest, BeforeTheStart) {
  CopyStage one = stage(1);
  one.copy->job().cancel();
  const CopyRun run = one.copy->run();
  check_cancelled(one, run);
  EXPECT_EQ(one.source.requests() + one.target.requests(), 0U);
}

TEST_P(CopyCancelTest, RightAfterTheStart) {
  CopyStage one = stage(1);
  one.copy->start();
  one.copy->job().cancel();
  one.copy->run_until([] { return false; });
  check_cancelled(one, one.copy->finish());
  EXPECT_EQ(one.source.requests() + one.target.requests(), 0U);
}

TEST_P(CopyCancelTest, AfterTheEndChangesNothing) {
  CopyStage one = stage(1);
  CopyRun run = one.copy->run();
  one.copy->job().cancel();
  one.copy->run_until([] { return false; });
  run = one.copy->finish();
  one.check_success(content_, run);
}

TEST_P(CopyCancelTest, AfterAFailureDoesNotHideIt) {
  CopyStage one = stage(1);
  one.source_faults.add({.skip = 3, .error = EIO});
  one.copy->start();
  one.copy->run_until([&] { return one.copy->job().progress().state == CopyState::draining; });
  one.copy->job().cancel();
  one.copy->run_until([] { return false; });
  const CopyRun run = one.copy->finish();
  one.check_invariants(content_, run);
  ASSERT_TRUE(run.outcome.error);
  EXPECT_EQ(run.outcome.error->number, EIO);
  EXPECT_EQ(run.outcome.error->side, Side::source);
  EXPECT_EQ(run.state, CopyState::failed);
}

// A failure while a cancelled copy drains is no news: it was cancelled first.
TEST_P(CopyCancelTest, AFailureAfterItDoesNotReplaceIt) {
  CopyStage one = stage(3);
  one.target_faults.add({.skip = 2, .times = FaultRule::kForEver, .error = EIO});
  one.source.on_complete([&, reads = 0](const LoggedRequest&) mutable {
    if (++reads == 3) one.copy->job().cancel();
  });
  const CopyRun run = one.copy->run();
  ASSERT_TRUE(run.ended);
  ASSERT_TRUE(run.outcome.error);
  EXPECT_TRUE(run.outcome.error->code == "ERR_CANCELLED" || !one.target_faults.faults().empty());
}

// Paced to take hours, with nothing in flight: a cancel must not wait for the next piece's time.
TEST_P(CopyCancelTest, WhileThePaceHoldsEverythingUp) {
  CopyStage one = stage(1, 1);
  one.world.call_at(std::chrono::seconds(10), [&] { one.copy->job().cancel(); });
  const CopyRun run = one.copy->run();
  check_cancelled(one, run);
  EXPECT_EQ(run.took, std::chrono::seconds(10));
}

INSTANTIATE_TEST_SUITE_P(Shapes, CopyCancelTest,
                         testing::Values(Shape{"OneByOne", 1, 1, ZeroState::unknown},
                                         Shape{"ManyAtOnce", 16, 1, ZeroState::unknown},
                                         Shape{"OntoProvenZeros", 8, 1, ZeroState::proven_zero},
                                         Shape{"ThreeLanes", 9, 3, ZeroState::unknown}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace blockhaul::test
