// Thousands of small copies, each by a seed of its own, with everything drawn from it: sizes,
// content, windows, lanes, delays, faults, cancels. Each must end, and end in one of two ways: the
// target is the source's twin, or there is an error that names what was made to go wrong.
//
//     BLOCKHAUL_SEED=123 blockhaul_tests --gtest_filter='CopySoakTest.*'     replays one
//     BLOCKHAUL_SOAK=100000 …                                                runs more of them

#include <cstdlib>

#include "copy/copy_fixture.h"
#include "support/sanitizers.h"

namespace blockhaul::test {
namespace {

constexpr std::uint64_t kCases = kThreadSanitizer ? 200 : 2400;

std::uint64_t number_from(const char* name, std::uint64_t fallback) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr ? fallback : std::strtoull(value, nullptr, 0);
}

std::uint64_t any_size(std::mt19937_64& random) {
  constexpr std::uint64_t kInteresting[] = {0, 1, 511, 512, 513, 4095, 4096, 4097, kLeaf, kMiB};
  switch (random() % 4) {
    case 0:
      return kInteresting[random() % std::size(kInteresting)];
    case 1:
      return kLeaf * (1 + random() % 12) + random() % 3 - 1;
    default:
      return random() % (768 * kKiB);
  }
}

Content any_content(std::mt19937_64& random) {
  const std::uint64_t size = any_size(random);
  switch (random() % 6) {
    case 0:
      return content_of(size, {}, 1);
    case 1:
      return content_of(size, {{0, size, ExtentKind::data}}, random());
    case 2:
      return alternating(size, 4096, random());
    case 3:
      return alternating(size, 1 + random() % (100 * kKiB), random());
    default:
      return random_content(size, random);
  }
}

FaultRule any_fault(std::mt19937_64& random) {
  constexpr int kErrors[] = {EIO, ENOSPC, ENOTSUP, ETIMEDOUT, ECANCELED, ENODEV};
  FaultRule rule;
  if (random() % 2 == 0) rule.operation = static_cast<Operation>(2 + random() % 5);  // read to map
  rule.skip = random() % 12;
  rule.times = random() % 2 == 0 ? 1 : FaultRule::kForEver;
  rule.action = random() % 3 == 0 ? FaultRule::Action::distort : FaultRule::Action::refuse;
  rule.error = kErrors[random() % std::size(kErrors)];
  return rule;
}

/// One case: all of it follows from the seed.
struct Case {
  explicit Case(std::uint64_t seed_of_case) : seed(seed_of_case), random(seed_of_case) {
    content = any_content(random);
    const std::uint64_t size = content.bytes.size();
    const auto longest = std::chrono::microseconds(1 + random() % 1000);
    source = {.size = size + random() % 2 * (random() % 5000),
              .extents_per_answer = 1 + random() % 6,
              .longest_delay = longest,
              .seed = random()};
    if (random() % 4 != 0) source.extents = content.extents;
    target = {.size = size + random() % 2 * (random() % 5000),
              .zero_state = random() % 3 == 0 ? ZeroState::proven_zero : ZeroState::unknown,
              .zeroes = random() % 3 != 0,
              .refuses_zeroes = random() % 3 == 0,
              .longest_delay = longest * (1 + random() % 3),
              .seed = random()};
    options = {.request_size = kLeaf << (random() % 5),
               .requests = static_cast<std::uint32_t>(1 + random() % 16),
               .memory = kLeaf * (1 + random() % 64),
               .lanes = static_cast<std::uint32_t>(1 + random() % 4),
               .use_extents = random() % 5 != 0,
               .digest = static_cast<DigestKind>(random() % 3),
               .bandwidth_limit = random() % 8 == 0 ? 1 + random() % (100 * kMiB) : 0};
  }

  std::uint64_t seed;
  std::mt19937_64 random;
  Content content{};
  MemoryVolumeOptions source{};
  MemoryVolumeOptions target{};
  CopyOptions options{};
};

void check_error(const CopyStage& stage, const Error& error, bool cancelled) {
  if (error.code == "ERR_CANCELLED") {
    EXPECT_TRUE(cancelled) << "cancelled by nobody";
    return;
  }
  ASSERT_NE(error.side, Side::none);
  const FaultVolume& faulty =
      error.side == Side::source ? stage.source_faults : stage.target_faults;
  const auto faults = faulty.faults();
  const bool was_made = std::any_of(faults.begin(), faults.end(), [&](const LoggedRequest& fault) {
    return fault.operation == error.operation &&
           (fault.operation == Operation::flush ||
            static_cast<std::int64_t>(fault.offset) == error.offset);
  });
  EXPECT_TRUE(was_made) << "nothing was made to fail there: " << name_of(error.operation) << " at "
                        << error.offset << ", " << error.message;
}

/// True where a fault must have ended the copy: all but failed maps, and zeroes that are refused.
bool must_fail(const FaultVolume& volume, const std::vector<FaultRule>& rules) {
  for (const LoggedRequest& fault : volume.faults()) {
    if (fault.operation == Operation::map) continue;
    const bool may_be_refused = std::any_of(rules.begin(), rules.end(), [](const FaultRule& rule) {
      return rule.error == ENOTSUP || rule.action == FaultRule::Action::distort;
    });
    if (fault.operation == Operation::zero && may_be_refused) continue;
    return true;
  }
  return false;
}

/// How the cases ended: a soak in which most fail early proves little.
struct Tally {
  std::uint64_t identical = 0;
  std::uint64_t failed = 0;
  std::uint64_t cancelled = 0;
};

void run_case(std::uint64_t seed, Tally& tally) {
  Case one(seed);
  std::mt19937_64& random = one.random;
  CopyStage stage(one.content, one.source, one.target, one.options, seed);
  std::vector<FaultRule> rules;
  if (random() % 3 == 0) {
    FaultVolume& faulty = random() % 2 == 0 ? stage.source_faults : stage.target_faults;
    for (std::uint64_t i = 0; i <= random() % 2; ++i) {
      rules.push_back(any_fault(random));
      faulty.add(rules.back());
    }
  }
  bool cancelled = false;
  if (random() % 6 == 0) {
    const std::chrono::nanoseconds moment(random() % 3'000'000);
    stage.world.call_at(moment, [&] {
      cancelled = true;
      stage.copy->job().cancel();
    });
  }
  if (random() % 8 == 0) {
    stage.world.call_at(std::chrono::microseconds(random() % 2000),
                        [&] { stage.copy->job().set_bandwidth_limit(random() % 2 * 10 * kMiB); });
  }
  const CopyRun run = stage.copy->run();
  ASSERT_TRUE(run.ended) << "the copy hangs";
  if (run.outcome.error) {
    stage.check_invariants(one.content, run);
    check_error(stage, *run.outcome.error, cancelled);
    ++(run.state == CopyState::cancelled ? tally.cancelled : tally.failed);
  } else {
    ++tally.identical;
    EXPECT_FALSE(must_fail(stage.source_faults, rules)) << "a failed read was overlooked";
    EXPECT_FALSE(must_fail(stage.target_faults, rules)) << "a failed request was overlooked";
    stage.check_success(one.content, run);
  }
}

TEST(CopySoakTest, EveryCopyEndsIdenticalOrWithAnErrorThatIsTrue) {
  const std::uint64_t only = number_from("BLOCKHAUL_SEED", 0);
  const std::uint64_t first = only != 0 ? only : 1;
  const std::uint64_t last = only != 0 ? only : number_from("BLOCKHAUL_SOAK", kCases);
  Tally tally;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("BLOCKHAUL_SEED=" + std::to_string(seed));
    run_case(seed, tally);
    if (testing::Test::HasFailure()) return;
  }
  if (only != 0) return;
  EXPECT_GT(tally.identical, last / 2);
  EXPECT_GT(tally.failed, last / 20);
  EXPECT_GT(tally.cancelled, last / 40);
}

}  // namespace
}  // namespace blockhaul::test
