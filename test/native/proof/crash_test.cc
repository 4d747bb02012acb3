// The power is cut, or the process killed, at every moment of a copy at which that leaves something
// else than before: at every write, every flush and every append to the journal, when it begins and
// when it ends. A cancel comes at every step, reads too. What the journal says then must be true,
// and a copy that goes on from there must end with identical bytes: also when it is cut short
// again, and once more.

#include <gtest/gtest.h>

#include <set>

#include "proof/machine.h"
#include "support/counted.h"
#include "support/sanitizers.h"

namespace blockhaul::test {
namespace {

/// Of the moments, one in so many is tried.
constexpr std::uint64_t kStep = kThreadSanitizer ? 25 : kAddressSanitizer ? 4 : 1;
/// What one moment may leave is tried so often.
constexpr int kDraws = 3;

struct CrashCase {
  const char* name;
  std::uint64_t size;
  CopyShape shape;
};

void PrintTo(const CrashCase& one, std::ostream* out) { *out << one.name; }

class ProofCrashTest : public testing::TestWithParam<CrashCase> {
 protected:
  ProofCrashTest() : shape_(GetParam().shape) {
    std::mt19937_64 random(4);
    content_ = sparse_content(GetParam().size, 24, random);
    chunks_ = reference_chunks(shape_.options.digest, content_.image);
  }

  /// From what a crash left to the end. `crashes`: so many more on the way.
  void resume(Remains remains, std::uint64_t seed, int crashes) {
    CopyShape shape = shape_;
    shape.proven_zero = false;  // it was written to
    for (; crashes >= 0; --crashes) {
      Machine machine(shape, content_, remains, ++seed);
      ASSERT_TRUE(machine.open_journal());
      machine.start();
      ++resumes_;
      if (crashes == 0) {
        machine.run();
        ASSERT_EQ(machine.why_not_done(content_.image, seed % 16 == 0), "");
        ASSERT_EQ(machine.broken_rule(), "");
        return;
      }
      const std::uint64_t moment = random_() % 60;
      machine.run_until([&] { return machine.moments() >= moment; });
      remains = machine.after_crash(random_);
      ASSERT_EQ(claim(remains), "") << "after a crash of the resumed copy";
    }
  }

  std::string claim(const Remains& remains) {
    ++claims_;
    return false_claim(remains.journal.medium, remains.target.medium, content_.image, chunks_);
  }

  /// Calls `at(machine, moment)` at every moment of an undisturbed copy.
  template <typename At>
  void at_every_moment(At at) {
    const Remains before = untouched(shape_, content_, 77);
    Machine machine(shape_, content_, before, 1);
    ASSERT_TRUE(machine.open_journal());
    machine.start();
    std::uint64_t last = ~std::uint64_t{0};
    std::set<std::uint64_t> frontiers;
    machine.run_until([&] {
      frontiers.insert(machine.frontier());
      if (machine.moments() == last || HasFatalFailure()) return HasFatalFailure();
      last = machine.moments();
      ++moments_;
      if (last % kStep == 0) at(machine, last);
      return HasFatalFailure();
    });
    if (HasFatalFailure()) return;
    machine.run();
    ASSERT_EQ(machine.why_not_done(content_.image, true), "");
    ASSERT_EQ(machine.broken_rule(), "");
    ASSERT_GT(moments_, 40U);
    ASSERT_GT(frontiers.size(), 2U) << "the journal was hardly used";
  }

  CopyShape shape_;
  SparseContent content_;
  std::vector<std::string> chunks_;
  std::mt19937_64 random_{9};
  std::uint64_t moments_ = 0;
  std::uint64_t claims_ = 0;
  std::uint64_t resumes_ = 0;
};

TEST_P(ProofCrashTest, APowerCutAtEveryMomentLosesNothingThatTheJournalSays) {
  std::set<std::uint64_t> frontiers;
  at_every_moment([&](Machine& machine, std::uint64_t moment) {
    SCOPED_TRACE("power cut at moment " + std::to_string(moment));
    for (int i = 0; i < kDraws; ++i) {
      const Remains remains = machine.after_crash(random_);
      ASSERT_EQ(claim(remains), "");
      frontiers.insert(SimJournal::read(remains.journal.medium).value().frontier);
      if (i == 0) resume(remains, moment * 10, 0);
      if (i == 1 && moment % 4 == 0) resume(remains, moment * 10, 2);
      if (HasFatalFailure()) return;
    }
  });
  // Of the few moments that a thread sanitizer gets, all may lie before the first checkpoint.
  if (!kThreadSanitizer) {
    EXPECT_GT(frontiers.size(), kStep == 1 ? 2U : 1U) << "the journal was hardly used";
  }
  count_cases("power cuts, each resumed to identical bytes", resumes_);
}

TEST_P(ProofCrashTest, AKillAtEveryMomentIsResumedAndOutlivesAPowerCutThereafter) {
  at_every_moment([&](Machine& machine, std::uint64_t moment) {
    SCOPED_TRACE("killed at moment " + std::to_string(moment));
    const Remains remains = machine.after_kill(random_);
    resume(remains, moment * 10, moment % 3 == 0 ? 1 : 0);
  });
  count_cases("kills in the simulation, each resumed to identical bytes", resumes_);
}

// Pieces that are half written when it comes, or read and not written, must not count as done.
TEST_P(ProofCrashTest, ACancelAtEveryStepIsResumedAndOutlivesAPowerCutThereafter) {
  const Remains before = untouched(shape_, content_, 77);
  std::set<std::uint64_t> frontiers;
  bool was_cut = true;
  for (std::uint64_t last = kStep; was_cut; last += kStep) {
    SCOPED_TRACE("cancelled at step " + std::to_string(last));
    Machine machine(shape_, content_, before, 1);
    ASSERT_TRUE(machine.open_journal());
    machine.start();
    std::uint64_t step = 0;
    was_cut = machine.run_until([&] { return ++step >= last; });
    if (was_cut) machine.job().cancel();
    const CopyRun& run = machine.run();
    ASSERT_TRUE(run.ended) << "it hangs";
    ASSERT_EQ(machine.broken_rule(), "");
    if (run.state == CopyState::done) continue;  // nothing was left to be cancelled
    ASSERT_EQ(run.state, CopyState::cancelled);
    const Remains remains = machine.after_crash(random_);
    ASSERT_EQ(claim(remains), "");
    frontiers.insert(SimJournal::read(remains.journal.medium).value().frontier);
    resume(remains, last * 10, 0);
    if (HasFatalFailure()) return;
  }
  ASSERT_GT(frontiers.size(), kStep == 1 ? 2U : 1U) << "the journal was hardly used";
  count_cases("cancels in the simulation, each resumed to identical bytes", resumes_);
}

CopyShape shape_with(std::uint64_t target_size, std::uint32_t requests, std::uint32_t lanes) {
  CopyShape shape{
      .target_size = target_size,
      .options = {
          .request_size = 256 * kKiB, .requests = requests, .memory = 2 * kMiB, .lanes = lanes}};
  shape.options.checkpoint_interval = std::chrono::microseconds(300);
  return shape;
}

std::vector<CrashCase> crash_cases() {
  std::vector<CrashCase> all;
  CopyShape shape = shape_with(13 * kMiB, 8, 1);
  all.push_back({"Device", 12 * kMiB + 512, shape});
  shape = shape_with(9 * kMiB, 6, 3);
  shape.sector = 4096;
  shape.short_one_in = 4;
  shape.interrupt_one_in = 6;
  shape.options.digest = DigestKind::sha256;
  all.push_back({"ThreeLanesOnAPoorDevice", 9 * kMiB, shape});
  shape = shape_with(9 * kMiB + 1001, 1, 1);
  shape.source_is_block = false;
  shape.target_is_block = false;
  shape.refused_zero_steps = 2;
  all.push_back({"FileOneByOne", 9 * kMiB + 1001, shape});
  shape = shape_with(16 * kMiB, 8, 2);
  shape.proven_zero = true;
  shape.source_is_block = false;
  all.push_back({"OddSizeOntoProvenZeros", 10 * kMiB + 7, shape});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Shapes, ProofCrashTest, testing::ValuesIn(crash_cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace blockhaul::test
