// Thousands of jobs, each by a seed of its own, from which everything is drawn: sizes, content,
// disks, windows, lanes, delays, limits, pauses, faults, retries, salvage, cancels, kills, power
// cuts, and how often the job is resumed. Each ends with identical bytes; on the way, the journal
// is true at every end, and every error was made by somebody.
//
//     npm run test:seeds -- --seed 123           replays one
//     npm run test:seeds -- --count 1000000      runs more of them

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "core/retry.h"
#include "proof/machine.h"
#include "support/counted.h"
#include "support/sanitizers.h"

namespace blockhaul::test {
namespace {

using Action = FaultRule::Action;
using std::chrono::microseconds;
using std::chrono::nanoseconds;

constexpr std::uint64_t kSeeds = kThreadSanitizer || kAddressSanitizer ? 200 : 10'000;
constexpr std::uint64_t kMostBoots = 5;
/// One job of so many is looked at closely.
constexpr std::uint64_t kLookedAt = 16;

/// What became of the jobs: a run of seeds in which little happens proves little.
struct Tally {
  std::uint64_t jobs = 0;
  std::uint64_t boots = 0;
  std::uint64_t power_cuts = 0;
  std::uint64_t kills = 0;
  std::uint64_t cancels = 0;
  std::uint64_t errors = 0;
  std::uint64_t abandoned = 0;
  std::uint64_t salvaged = 0;
  std::uint64_t lies_found = 0;
  std::uint64_t resumed_from_the_middle = 0;
};

/// One job, from its first process to its end.
class Job {
 public:
  Job(std::uint64_t seed, Tally& tally) : seed_(seed), random_(seed), tally_(tally) {
    draw_shape();
    draw_content();
    remains_ = untouched(shape_, content_, random_());
  }

  void run() {
    ++tally_.jobs;
    for (std::uint64_t boot = 0; boot < kMostBoots && !done_; ++boot) {
      SCOPED_TRACE("process " + std::to_string(boot));
      is_last_ = boot + 1 == kMostBoots;
      ++tally_.boots;
      one_boot(boot);
      if (testing::Test::HasFailure()) return;
      shape_.proven_zero = false;
    }
  }

 private:
  std::uint64_t pick(std::uint64_t count) { return random_() % count; }
  bool one_in(std::uint64_t count) { return pick(count) == 0; }

  void draw_shape() {
    shape_.source_is_block = one_in(2);
    shape_.target_is_block = !one_in(3);
    shape_.sector = one_in(3) ? 4096 : 512;
    shape_.direct = !one_in(4);
    shape_.is_mapped = !one_in(4);
    shape_.proven_zero = shape_.target_is_block && one_in(4);
    shape_.refused_zero_steps = static_cast<unsigned>(pick(3));
    shape_.short_one_in = one_in(3) ? static_cast<unsigned>(2 + pick(8)) : 0;
    shape_.interrupt_one_in = one_in(3) ? static_cast<unsigned>(4 + pick(20)) : 0;
    shape_.longest_delay = microseconds(100 << pick(5));
    CopyOptions& options = shape_.options;
    options.request_size = kLeaf << pick(5);
    options.requests = static_cast<std::uint32_t>(1 + pick(12));
    options.memory = options.request_size * (1 + pick(8));
    options.lanes = static_cast<std::uint32_t>(one_in(2) ? 1 : 1 + pick(4));
    options.use_extents = !one_in(6);
    options.digest = static_cast<DigestKind>(one_in(2) ? 1 : pick(3));
    options.bandwidth_limit = one_in(8) ? (20 + pick(400)) * kMiB : 0;
    options.iops_limit = one_in(10) ? 2000 + pick(20'000) : 0;
    options.retries = static_cast<std::uint32_t>(pick(4));
    options.checkpoint_interval = microseconds(one_in(8) ? 0 : 300 << pick(5));
    options.request_timeout = std::chrono::seconds(one_in(4) ? 0 : 2);
    options.stall_limit = std::chrono::seconds(one_in(2) ? 0 : 5);
    options.salvage = one_in(6);
    lies_ = options.digest != DigestKind::none && !options.salvage && one_in(6);
  }

  void draw_content() {
    std::uint64_t size = 0;
    switch (pick(5)) {
      case 0:
        size = pick(3 * kLeaf);
        break;
      case 1:
        size = pick(kChunk);
        break;
      case 2:
        size = (1 + pick(3)) * kChunk;
        break;
      default:
        size = kChunk + pick(3 * kChunk);
    }
    // Misdirected writes shall not go where nobody reads back.
    if (shape_.source_is_block || lies_) size = align_up(size, shape_.sector);
    content_ = sparse_content(size, static_cast<unsigned>(1 + pick(20)), random_);
    shape_.target_size = shape_.target_is_block ? align_up(size, shape_.sector) : size;
    if (one_in(3) && !lies_) shape_.target_size += shape_.sector * pick(100);
    expected_ = content_.image;
    if (!shape_.options.salvage || size == 0) return;
    bad_.offset = align_down(pick(size), 512);
    bad_.length = 1 + pick(40 * kKiB);
    const std::uint64_t begin = align_down(bad_.offset, 4096);
    const std::uint64_t end = std::min(align_up(bad_.offset + bad_.length, 4096), size);
    expected_.zero(begin, end - begin);
  }

  void one_boot(std::uint64_t boot) {
    Machine machine(shape_, content_, remains_, seed_ * kMostBoots + boot);
    const Status opened = machine.open_journal();
    ASSERT_TRUE(opened) << opened.error().message;
    if (machine.frontier() > 0 && machine.frontier() < content_.size())
      ++tally_.resumed_from_the_middle;
    if (bad_.length > 0) {
      machine.source().rules().add({.operation = Operation::read,
                                    .offset = bad_.offset,
                                    .length = bad_.length,
                                    .times = FaultRule::kForEver});
    }
    read_back(machine, boot);
    if (testing::Test::HasFailure()) return;
    if (!is_last_) make_trouble(machine);
    machine.start();
    const std::uint64_t end = is_last_ ? 0 : pick(10);
    const std::uint64_t moment = pick(one_in(2) ? 40 : 250);
    const bool cut_short = machine.run_until([&] {
      look_at_journal(machine);
      return (end > 5 && machine.moments() >= moment) || !lie_of_journal_.empty();
    });
    ASSERT_EQ(lie_of_journal_, "");
    if (cut_short) {
      ++(end > 7 ? tally_.kills : tally_.power_cuts);
      leave(machine, end <= 7);
      return;
    }
    const CopyRun& run = machine.run();
    ASSERT_TRUE(run.ended) << "it hangs";
    ASSERT_EQ(machine.broken_rule(), "");
    if (run.outcome.error) {
      check_error(machine, run);
      leave(machine, one_in(2));
      return;
    }
    check_success(machine);
  }

  /// Reads back what is recorded, sometimes, and always where disks lied. Of honest ones, it holds.
  void read_back(Machine& machine, std::uint64_t boot) {
    const bool reads = lies_ ? is_last_ : boot > 0 && one_in(4);
    if (!reads || shape_.options.digest == DigestKind::none) return;
    const auto holds = machine.verify(false, 0);
    ASSERT_TRUE(holds) << holds.error().message;
    if (!lies_) {
      ASSERT_EQ(holds.value(), machine.frontier()) << "what is recorded does not read back";
      return;
    }
    const auto first =
        content_.image.first_difference(remains_.target.cache, 0, machine.frontier());
    const std::uint64_t really = first ? align_down(*first, kChunk) : machine.frontier();
    ASSERT_EQ(holds.value(), really) << "a lie was not found";
    tally_.lies_found += first ? 1 : 0;
    if (first) {
      ASSERT_TRUE(machine.rewind(really));
    }
  }

  /// Faults, cancels, pauses, other limits: each of them sometimes.
  void make_trouble(Machine& machine) {
    if (lies_ && !one_in(4)) {
      constexpr std::array kLies{Action::drop, Action::corrupt, Action::misdirect};
      FaultRule rule{.times = FaultRule::kForEver, .action = kLies[pick(3)], .probability = 0.1};
      if (one_in(2)) {
        rule.skip = pick(40);
        rule.times = 1;
        rule.probability = 1;
      }
      machine.target().rules().add(rule);
    }
    if (one_in(2)) {
      for (std::uint64_t i = 0; i <= pick(2); ++i) {
        SimDisk& disk = one_in(3)   ? machine.source()
                        : one_in(3) ? machine.journal()
                                    : machine.target();
        FaultRule rule = any_fault();
        // To a salvage, an error of the medium is a loss like that which is for good.
        if (bad_.length > 0 && &disk == &machine.source() && is_media_error(rule.error))
          rule.error = ENODEV;
        disk.rules().add(rule);
        faults_made_ = true;
      }
    }
    const auto moment = [&] { return nanoseconds(pick(6'000'000)) + machine.world().elapsed(); };
    if (one_in(7)) {
      cancelled_ = true;
      machine.world().call_at(moment(), [&machine] { machine.job().cancel(); });
    }
    if (one_in(7)) {
      const auto pause = moment();
      const auto length = nanoseconds(pick(300'000'000));
      machine.world().call_at(pause, [&machine] { machine.job().set_paused(true); });
      machine.world().call_at(pause + length, [&machine] { machine.job().set_paused(false); });
    }
    if (one_in(8)) {
      const std::uint64_t limit = one_in(2) ? 0 : (20 + pick(100)) * kMiB;
      machine.world().call_at(moment(),
                              [&machine, limit] { machine.job().set_bandwidth_limit(limit); });
    }
    if (one_in(8)) {
      const std::uint64_t limit = one_in(2) ? 0 : 1000 + pick(9000);
      machine.world().call_at(moment(), [&machine, limit] { machine.job().set_iops_limit(limit); });
    }
  }

  FaultRule any_fault() {
    constexpr std::array kErrors{EIO,    ENOSPC, ETIMEDOUT, ENODEV, EINTR,
                                 EAGAIN, EBUSY,  ENOMEM,    EROFS,  EDQUOT};
    constexpr std::array kActions{Action::refuse, Action::refuse,  Action::distort, Action::tear,
                                  Action::delay,  Action::shorten, Action::hang};
    FaultRule rule{.times = one_in(3) ? FaultRule::kForEver : 1 + pick(2),
                   .action = kActions[pick(kActions.size())],
                   .error = kErrors[pick(kErrors.size())]};
    // Without a deadline, what hangs hangs for ever.
    if (rule.action == Action::hang && shape_.options.request_timeout.count() == 0)
      rule.action = Action::refuse;
    if (rule.action == Action::delay) rule.delay = microseconds(pick(100'000));
    if (one_in(2)) {
      rule.skip = pick(60);
    } else {
      rule.probability = one_in(2) ? 0.05 : 0.3;
      rule.times = FaultRule::kForEver;
    }
    if (one_in(4)) rule.operation = static_cast<Operation>(2 + pick(4));  // read to flush
    return rule;
  }

  void check_error(Machine& machine, const CopyRun& run) {
    const Error& error = *run.outcome.error;
    tally_.abandoned += run.outcome.abandoned ? 1 : 0;
    EXPECT_EQ(run.outcome.digest, "");
    if (error.code == "ERR_CANCELLED") {
      ++tally_.cancels;
      EXPECT_TRUE(cancelled_) << "cancelled by nobody";
      EXPECT_EQ(run.state, CopyState::cancelled);
      return;
    }
    ++tally_.errors;
    EXPECT_EQ(run.state, CopyState::failed);
    EXPECT_TRUE(faults_made_) << "nobody made this fail: " << error.message;
    SimDisk* disk = nullptr;
    if (error.side == Side::source) disk = &machine.source();
    if (error.side == Side::target) disk = &machine.target();
    if (error.code == "ERR_JOURNAL") disk = &machine.journal();
    if (disk == nullptr) return;
    const auto hit = disk->rules().faults();
    const bool was_made = std::any_of(hit.begin(), hit.end(), [&](const LoggedRequest& request) {
      return error.side == Side::none || request.operation == error.operation ||
             error.operation == Operation::write;
    });
    EXPECT_TRUE(was_made) << "nothing went wrong there: " << name_of(error.operation) << " at "
                          << error.offset << ", " << error.message;
  }

  void check_success(Machine& machine) {
    if (lies_ && !is_last_) {
      // Nobody knows yet; the last process reads back.
      return leave(machine, one_in(2));
    }
    done_ = true;
    ASSERT_EQ(machine.why_not_done(expected_, one_in(20), journal_is_sound_), "");
    if (bad_.length == 0) return;
    const auto contents = SimJournal::read(machine.journal().image());
    ASSERT_TRUE(contents);
    check_bad(contents.value().bad);
  }

  /// All that was lost is listed, and nothing else.
  void check_bad(const std::vector<Range>& listed) {
    SimImage left = expected_;
    SimImage marked(expected_.size());
    for (const Range& range : listed) {
      const Bytes original = content_.image.bytes(range.offset, range.length);
      left.write(range.offset, original);
      EXPECT_TRUE(range.offset < align_up(bad_.offset + bad_.length, 4096) &&
                  range.end() > align_down(bad_.offset, 4096))
          << range.offset << " is listed and was not bad";
    }
    EXPECT_EQ(difference(content_.image, left, left.size()), "") << "a loss is not listed";
    tally_.salvaged += listed.empty() ? 0 : 1;
  }

  /// What the next process finds; what the journal says of it is true.
  void leave(const Machine& machine, bool power_cut) {
    remains_ = power_cut ? machine.after_crash(random_) : machine.after_kill(random_);
    const auto hit = machine.journal().rules().faults();
    const bool flush_failed = std::any_of(hit.begin(), hit.end(), [](const LoggedRequest& request) {
      return request.operation == Operation::flush;
    });
    journal_is_sound_ = power_cut || (journal_is_sound_ && !flush_failed);
    check_claim();
  }

  /// Cuts the power, as it were, each time that the journal has just got something; in some of the
  /// jobs, since what a disk may lose is much to draw.
  void look_at_journal(const Machine& machine) {
    if (lies_ || seed_ % kLookedAt != 0 || machine.journal().ended() == looked_at_) return;
    looked_at_ = machine.journal().ended();
    const Remains left = machine.after_crash(random_);
    lie_of_journal_ = false_claim(left.journal.medium, left.target.medium, expected_, {});
  }

  void check_claim() {
    if (lies_) return;
    const bool checks_digests = one_in(10);
    const auto chunks = checks_digests ? reference_chunks(shape_.options.digest, expected_)
                                       : std::vector<std::string>();
    ASSERT_EQ(false_claim(remains_.journal.cache, remains_.target.cache, expected_, chunks), "");
  }

  const std::uint64_t seed_;
  std::mt19937_64 random_;
  Tally& tally_;
  CopyShape shape_;
  SparseContent content_;
  SimImage expected_;
  Range bad_{};  ///< of the source, for good
  Remains remains_;
  std::uint64_t looked_at_ = 0;   ///< operations on the journal
  std::string lie_of_journal_{};  ///< in words
  bool lies_ = false;             ///< the target, and what it says of its flushes
  bool is_last_ = false;
  bool done_ = false;
  bool faults_made_ = false;
  bool cancelled_ = false;
  /// False: a failed fsync(2) left the journal's cache ahead of its medium.
  bool journal_is_sound_ = true;
};

TEST(ProofSeedsTest, EveryJobEndsWithIdenticalBytes) {
  const std::uint64_t only = number_from("BLOCKHAUL_SEED", 0);
  const std::uint64_t first = only != 0 ? only : number_from("BLOCKHAUL_SEEDS_FROM", 1);
  const std::uint64_t count = only != 0 ? 1 : number_from("BLOCKHAUL_SEEDS", kSeeds);
  Tally tally;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE("replay it with: npm run test:seeds -- --seed " + std::to_string(seed));
    Job(seed, tally).run();
    if (HasFailure()) return;
  }
  count_cases("seeded jobs, each resumed until its bytes are identical", tally.jobs);
  if (only != 0 || count < 1000) return;
  EXPECT_GT(tally.boots, count * 3 / 2);
  EXPECT_GT(tally.power_cuts, count / 20);
  EXPECT_GT(tally.kills, count / 20);
  EXPECT_GT(tally.cancels, count / 100);
  EXPECT_GT(tally.errors, count / 20);
  EXPECT_GT(tally.abandoned, count / 200);
  EXPECT_GT(tally.salvaged, count / 50);
  EXPECT_GT(tally.lies_found, count / 100);
  EXPECT_GT(tally.resumed_from_the_middle, count / 20);
  if (number_from("BLOCKHAUL_TALLY", 0) == 0) return;
  std::printf(
      "%lu jobs, %lu processes, %lu power cuts, %lu kills, %lu cancels, %lu errors, %lu abandoned, "
      "%lu salvaged, %lu lies found, %lu resumed from the middle\n",
      tally.jobs, tally.boots, tally.power_cuts, tally.kills, tally.cancels, tally.errors,
      tally.abandoned, tally.salvaged, tally.lies_found, tally.resumed_from_the_middle);
}

}  // namespace
}  // namespace blockhaul::test
