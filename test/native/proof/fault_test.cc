// Every fault at every operation that a copy makes on the source, the target and the journal, once
// and for ever. Each run ends in one of two ways: with identical bytes, or with an error that names
// what was made to go wrong, in time, with the source unchanged, the journal true, and resumable. A
// fault that nobody reports must be found by verification, at its chunk.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "core/retry.h"
#include "proof/machine.h"
#include "support/counted.h"
#include "support/sanitizers.h"

namespace blockhaul::test {
namespace {

using Action = FaultRule::Action;

/// Of the cases, one in so many is run.
constexpr std::uint64_t kStep = kThreadSanitizer ? 20 : kAddressSanitizer ? 5 : 1;
constexpr std::chrono::seconds kDeadline{2};

struct Fault {
  const char* name;
  Action action;
  int error;

  /// Nobody reports it.
  [[nodiscard]] bool is_silent() const {
    return action == Action::drop || action == Action::corrupt || action == Action::misdirect ||
           (action == Action::tear && error == 0);
  }
};

constexpr std::array kFaults{
    Fault{"EIO", Action::refuse, EIO},
    Fault{"ENOSPC", Action::refuse, ENOSPC},
    Fault{"ETIMEDOUT", Action::refuse, ETIMEDOUT},
    Fault{"ENODEV", Action::refuse, ENODEV},
    Fault{"EINTR", Action::refuse, EINTR},
    Fault{"done, but EIO", Action::distort, EIO},
    Fault{"short", Action::shorten, EIO},
    Fault{"torn", Action::tear, EIO},
    Fault{"torn silently", Action::tear, 0},
    Fault{"dropped", Action::drop, 0},
    Fault{"bit flip", Action::corrupt, 0},
    Fault{"misdirected", Action::misdirect, 0},
    Fault{"hang", Action::hang, 0},
};

enum class Place : std::uint8_t { source, target, journal };

struct FaultCase {
  const char* name;
  std::uint64_t size;
  CopyShape shape;
};

void PrintTo(const FaultCase& one, std::ostream* out) { *out << one.name; }

class ProofFaultTest : public testing::TestWithParam<FaultCase> {
 protected:
  ProofFaultTest() : shape_(GetParam().shape) {
    std::mt19937_64 random(11);
    content_ = sparse_content(GetParam().size, 14, random);
    chunks_ = reference_chunks(shape_.options.digest, content_.image);
    before_ = untouched(shape_, content_, 78);
  }

  static SimDisk& disk_at(Machine& machine, Place place) {
    if (place == Place::source) return machine.source();
    return place == Place::target ? machine.target() : machine.journal();
  }

  std::vector<LoggedRequest> all_operations(Place place) {
    Machine machine(shape_, content_, before_, 1);
    EXPECT_TRUE(machine.open_journal());
    machine.start();
    machine.run();
    EXPECT_EQ(machine.why_not_done(content_.image, true), "");
    EXPECT_EQ(machine.broken_rule(), "");
    return disk_at(machine, place).log();
  }

  void every_fault_at_every_operation(Place place, const char* what) {
    const auto operations = all_operations(place);
    ASSERT_GT(operations.size(), 5U);
    std::uint64_t index = 0;
    for (const Fault& fault : kFaults) {
      for (const std::uint64_t times : {std::uint64_t{1}, FaultRule::kForEver}) {
        for (std::uint64_t nth = 0; nth < operations.size(); ++nth) {
          if (++index % kStep != 0) continue;
          SCOPED_TRACE(std::string(fault.name) + (times == 1 ? " once" : " for ever") + " at " +
                       std::string(name_of(operations[nth].operation)) + " " + std::to_string(nth));
          one_fault(place, fault, times, nth, operations[nth].operation);
          if (HasFatalFailure()) return;
          ++cases_;
        }
      }
    }
    count_cases(what, cases_);
  }

  void one_fault(Place place, const Fault& fault, std::uint64_t times, std::uint64_t nth,
                 Operation operation) {
    Machine machine(shape_, content_, before_, 1);
    ASSERT_TRUE(machine.open_journal());
    SimDisk& disk = disk_at(machine, place);
    disk.rules().add({.skip = nth, .times = times, .action = fault.action, .error = fault.error});
    machine.start();
    const CopyRun& run = machine.run();
    ASSERT_TRUE(run.ended) << "no outcome at all";
    ASSERT_FALSE(disk.rules().faults().empty());
    ASSERT_LT(run.took, 3 * kDeadline) << "not within the deadline";
    ASSERT_EQ(machine.broken_rule(), "");
    // After a failure, a flush that succeeds would say nothing, and must not be taken to.
    if (place == Place::target) {
      ASSERT_EQ(machine.target().flushes_after_failure(), 0U);
    }
    const bool failed = run.outcome.error.has_value();
    check_end(place, fault, times, operation, run);
    if (!failed && !fault.is_silent()) {
      ASSERT_EQ(machine.why_not_done(content_.image, false), "");
    }

    // What a flush lost without a word shows only after a power cut.
    const bool flush_lies = fault.is_silent() && fault.action == Action::tear;
    const bool power_cut = nth % 2 == 0 || flush_lies;
    const Remains remains = power_cut ? machine.after_crash(random_) : machine.after_kill(random_);
    machine.power_off();
    if (!fault.is_silent() || place == Place::journal) {
      const std::string claim =
          false_claim(remains.journal.cache, remains.target.cache, content_.image, chunks_);
      const bool journal_is_gone = fault.is_silent() && claim.starts_with("unreadable");
      ASSERT_TRUE(claim.empty() || journal_is_gone) << claim;
      if (journal_is_gone) return;  // it is refused, and the copy begins anew
    }
    // Of a journal whose fsync(2) failed, the cache may show what the medium never got.
    const bool may_forget = place == Place::journal && operation == Operation::flush && !power_cut;
    resume(remains, fault.is_silent(), !may_forget);
  }

  static void check_end(Place place, const Fault& fault, std::uint64_t times, Operation operation,
                        const CopyRun& run) {
    const bool failed = run.outcome.error.has_value();
    if (fault.is_silent()) {
      ASSERT_FALSE(failed) << "an error of nothing: " << run.outcome.error->message;
      return;
    }
    const bool is_transparent =
        fault.error == EINTR || (fault.action == Action::shorten && operation != Operation::zero);
    if (times == 1 && is_transparent) {
      ASSERT_FALSE(failed) << run.outcome.error->message;
    }
    const bool is_lanes = place != Place::journal && operation != Operation::flush;
    if (times == 1 && is_retryable(fault.error) && is_lanes) {
      ASSERT_FALSE(failed) << "not tried again: " << run.outcome.error->message;
    }
    const bool is_fatal = (fault.error == EIO || fault.error == ENOSPC) && !is_transparent;
    if (is_fatal) {
      ASSERT_TRUE(failed) << "overlooked";
    }
    if (fault.action == Action::hang) {
      ASSERT_TRUE(failed);
    }
    if (!failed) return;
    const Error& error = *run.outcome.error;
    const int expected = fault.action == Action::hang ? ETIMEDOUT : fault.error;
    // What is interrupted for ever may also just take too long.
    const bool is_timeout = fault.error == EINTR && error.number == ETIMEDOUT;
    EXPECT_TRUE(error.number == expected || is_timeout) << error.message;
    if (place == Place::source) {
      EXPECT_EQ(error.side, Side::source) << error.message;
    }
    if (place == Place::target) {
      EXPECT_EQ(error.side, Side::target) << error.message;
    }
    if (place == Place::journal && fault.action != Action::hang && !is_timeout) {
      EXPECT_EQ(error.code, "ERR_JOURNAL") << error.message;
    }
    EXPECT_EQ(run.outcome.digest, "");
  }

  /// In a process of its own, without faults: goes on from what is left, after everything that is
  /// recorded was read back where the disks may have lied.
  void resume(const Remains& remains, bool verifies, bool is_recorded) {
    CopyShape shape = shape_;
    shape.proven_zero = false;
    Machine machine(shape, content_, remains, 2);
    const Status opened = machine.open_journal();
    ASSERT_TRUE(opened) << opened.error().message;
    if (verifies) {
      const auto target_holds = machine.verify(false, 0);
      ASSERT_TRUE(target_holds) << target_holds.error().message;
      const auto source_holds = machine.verify(true, 0);
      ASSERT_TRUE(source_holds) << source_holds.error().message;
      const std::uint64_t holds = std::min(target_holds.value(), source_holds.value());
      const auto first =
          content_.image.first_difference(remains.target.cache, 0, machine.frontier());
      const std::uint64_t really = first ? align_down(*first, kChunk) : machine.frontier();
      // A digest that was spoiled on its way costs a chunk that was good; never the other way
      // round.
      ASSERT_LE(holds, really) << "a silent fault was not found";
      found_ += first ? 1 : 0;
      if (holds < machine.frontier()) {
        ASSERT_TRUE(machine.rewind(holds));
      }
    }
    machine.start();
    machine.run();
    ASSERT_EQ(machine.why_not_done(content_.image, cases_ % 16 == 0, is_recorded), "")
        << "after the resume";
    ASSERT_EQ(machine.broken_rule(), "");
  }

  CopyShape shape_;
  SparseContent content_;
  std::vector<std::string> chunks_;
  Remains before_;
  std::mt19937_64 random_{3};
  std::uint64_t cases_ = 0;
  std::uint64_t found_ = 0;  ///< silent faults that left their mark
};

TEST_P(ProofFaultTest, AtEveryReadOfTheSource) {
  every_fault_at_every_operation(Place::source, "faults at every read of the source");
  if (kStep == 1) {
    EXPECT_GT(found_, 5U);
  }
}

TEST_P(ProofFaultTest, AtEveryOperationOnTheTarget) {
  every_fault_at_every_operation(Place::target, "faults at every operation on the target");
  if (kStep == 1) {
    EXPECT_GT(found_, 5U);
  }
}

TEST_P(ProofFaultTest, AtEveryOperationOnTheJournal) {
  every_fault_at_every_operation(Place::journal, "faults at every operation on the journal");
}

CopyShape shape_with(std::uint64_t target_size, std::uint32_t requests, std::uint32_t lanes) {
  CopyShape shape{.target_size = target_size,
                  .options = {.request_size = 512 * kKiB,
                              .requests = requests,
                              .memory = 2 * kMiB,
                              .lanes = lanes,
                              .retries = 2}};
  shape.options.checkpoint_interval = std::chrono::microseconds(250);
  shape.options.request_timeout = kDeadline;
  shape.options.stall_limit = 2 * kDeadline;
  return shape;
}

std::vector<FaultCase> fault_cases() {
  std::vector<FaultCase> all;
  CopyShape shape = shape_with(9 * kMiB, 4, 1);
  all.push_back({"Device", 9 * kMiB, shape});
  shape = shape_with(9 * kMiB + 511, 1, 1);
  shape.source_is_block = false;
  shape.target_is_block = false;
  shape.refused_zero_steps = 1;
  all.push_back({"FileOneByOne", 9 * kMiB + 511, shape});
  shape = shape_with(12 * kMiB, 6, 2);
  shape.proven_zero = true;
  shape.options.checkpoint_interval = std::chrono::microseconds(30);
  shape.sector = 4096;
  shape.options.digest = DigestKind::sha256;
  all.push_back({"TwoLanesOntoProvenZeros", 12 * kMiB, shape});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Shapes, ProofFaultTest, testing::ValuesIn(fault_cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace blockhaul::test
