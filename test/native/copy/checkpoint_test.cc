// Checkpoints on real threads with a real journal: what is recorded was flushed, and a copy that
// goes on from it ends as if it had never been cut.

#include <fcntl.h>
#include <gtest/gtest.h>

#include <future>

#include "copy/copy_threads.h"
#include "support/content.h"
#include "support/temporary.h"
#include "volume/fault_volume.h"
#include "volume/memory_volume.h"

namespace blockhaul::test {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr std::uint64_t kSize = 9 * kChunk + 4321;

class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest() {
    source_ = std::make_shared<MemoryVolume>(MemoryVolumeOptions{
        .size = kSize, .extents = content_.extents, .longest_delay = microseconds(200)});
    source_->bytes() = content_.bytes;
    target_ = std::make_shared<MemoryVolume>(
        MemoryVolumeOptions{.size = kSize, .longest_delay = microseconds(200)});
    target_->bytes() = random_bytes(kSize, 2);
    faulty_ = std::make_shared<FaultVolume>(*target_);
    target_->on_complete([this](const LoggedRequest& request) { observe(request); });
  }

  [[nodiscard]] std::string path() const { return folder_.path("journal"); }
  [[nodiscard]] static CopyOptions options(std::uint64_t begin = 0) {
    return {.size = kSize, .begin = begin, .requests = 16, .checkpoint_interval = milliseconds(2)};
  }

  CopyOutcome run(const CopyOptions& wanted, std::shared_ptr<Journal> journal,
                  const std::function<void(CopyJob&)>& meanwhile = {}) {
    std::promise<CopyOutcome> outcome;
    auto threads = CopyThreads::start(
        {source_, faulty_, std::move(journal)}, wanted,
        [&outcome](CopyOutcome result) { outcome.set_value(std::move(result)); });
    EXPECT_TRUE(threads);
    if (meanwhile) meanwhile(threads.value()->job());
    return outcome.get_future().get();
  }

  std::shared_ptr<Journal> create() {
    auto made = Journal::create(path(), {.size = kSize, .job = "{}"});
    EXPECT_TRUE(made);
    return std::move(made.value());
  }
  std::shared_ptr<Journal> open() {
    auto opened = Journal::open(path());
    EXPECT_TRUE(opened);
    return std::move(opened.value());
  }

  /// Whatever a flush covers is the target's durable content; what the journal says, whenever it is
  /// looked at, must be in it.
  void observe(const LoggedRequest& request) {
    const std::lock_guard lock(mutex_);
    if (request.operation == Operation::flush) durable_ = target_->bytes();
    auto journal = Journal::read(path());
    if (!journal) return;
    const std::uint64_t frontier = journal.value().frontier;
    recorded_ = std::max(recorded_, frontier);
    if (frontier == 0) return;
    const bool holds =
        durable_.size() == kSize &&
        std::equal(durable_.begin(), durable_.begin() + static_cast<std::ptrdiff_t>(frontier),
                   content_.bytes.begin());
    EXPECT_TRUE(holds) << "the journal says " << frontier << ", which no flush has covered";
  }

  void expect_copied(const CopyOutcome& outcome) {
    ASSERT_FALSE(outcome.error) << outcome.error->message;
    EXPECT_EQ(difference(content_.bytes, target_->bytes()), "");
    EXPECT_EQ(outcome.digest, reference_digest(DigestKind::xxh3, content_.bytes));
    EXPECT_EQ(target_->faults(), std::vector<std::string>{});
  }

  const Content content_ = alternating(kSize, 700 * kKiB, 1);
  TemporaryFolder folder_;
  std::shared_ptr<MemoryVolume> source_;
  std::shared_ptr<MemoryVolume> target_;
  std::shared_ptr<FaultVolume> faulty_;
  std::mutex mutex_;
  Bytes durable_;
  std::uint64_t recorded_ = 0;
};

TEST_F(CheckpointTest, RecordNothingThatNoFlushHasCovered) {
  CopyOptions slow = options();
  slow.bandwidth_limit = 400 * kMiB;
  auto journal = create();
  expect_copied(run(slow, journal));
  EXPECT_GT(recorded_, 0U) << "no checkpoint was seen while the copy ran";
  EXPECT_EQ(journal->frontier(), kSize);
  std::uint64_t chunks = 0;
  const auto runs = journal->chunks(0, kSize);
  for (const ChunkRun& run : runs.value()) chunks += run.count;
  EXPECT_EQ(chunks, divide_up(kSize, kChunk));
}

TEST_F(CheckpointTest, LetACancelledCopyGoOnWithWhatIsLeft) {
  CopyOptions slow = options();
  slow.bandwidth_limit = 200 * kMiB;
  auto journal = create();
  const CopyOutcome cut = run(slow, journal, [](CopyJob& job) {
    while (job.progress().done() < 4 * kChunk) std::this_thread::yield();
    job.cancel();
  });
  ASSERT_TRUE(cut.error);
  const std::uint64_t frontier = journal->frontier();
  EXPECT_GE(frontier, 3 * kChunk) << "what was finished when it stopped is not recorded";
  EXPECT_LT(frontier, kSize);
  journal.reset();

  auto again = open();
  ASSERT_EQ(again->frontier(), frontier);
  const std::size_t requests = source_->requests();
  expect_copied(run(options(frontier), again));
  for (std::size_t i = requests; i < source_->requests(); ++i)
    EXPECT_GE(source_->log()[i].offset, frontier) << "was read again";
}

TEST_F(CheckpointTest, RecordNothingMoreOnceTheTargetFailed) {
  std::ptrdiff_t flushes_before = 0;
  for (const auto operation : {Operation::write, Operation::flush}) {
    auto journal = create();
    faulty_->add({.operation = operation,
                  .offset = 3 * kChunk,
                  .length = kSize,
                  .skip = operation == Operation::flush ? 1U : 0U});
    CopyOptions slow = options();
    slow.bandwidth_limit = 200 * kMiB;
    const CopyOutcome outcome = run(slow, journal);
    ASSERT_TRUE(outcome.error);
    const auto log = target_->log();
    const auto flushes = std::count_if(log.begin(), log.end(), [](const LoggedRequest& request) {
      return request.operation == Operation::flush;
    });
    EXPECT_LE(journal->contents().checkpoints.size(), static_cast<std::size_t>(flushes));
    EXPECT_LT(journal->frontier(), kSize);
    // The second flush failed; it never came to the target, and neither did a third.
    if (operation == Operation::flush) {
      EXPECT_LE(flushes - flushes_before, 1);
    }
    flushes_before = flushes;
    ::unlink(path().c_str());
  }
}

TEST_F(CheckpointTest, KeepWhatIsDoneWhenTheSourceFails) {
  FaultVolume source(*source_);
  source.add({.operation = Operation::read, .offset = 6 * kChunk, .length = kChunk});
  std::promise<CopyOutcome> promise;
  auto journal = create();
  {
    auto threads =
        CopyThreads::start({std::shared_ptr<Volume>(&source, [](Volume*) {}), faulty_, journal},
                           {.size = kSize, .requests = 4},
                           [&](CopyOutcome result) { promise.set_value(std::move(result)); });
    const CopyOutcome outcome = promise.get_future().get();
    ASSERT_TRUE(outcome.error);
    EXPECT_EQ(outcome.error->side, Side::source);
  }
  const std::uint64_t frontier = journal->frontier();
  EXPECT_GE(frontier, 4 * kChunk);
  EXPECT_LE(frontier, 7 * kChunk);
  expect_copied(run(options(frontier), journal));
}

TEST_F(CheckpointTest, RecordWhatCouldNotBeRead) {
  target_->on_complete([](const LoggedRequest&) {});  // it will not hold the source's bytes
  FaultVolume source(*source_);
  const std::vector<Range> bad = {{64 * kKiB, 4 * kKiB}, {5 * kChunk + 1 * kMiB, 4 * kKiB}};
  for (const Range& range : bad) {
    source.add({.operation = Operation::read,
                .offset = range.offset,
                .length = range.length,
                .times = FaultRule::kForEver});
  }
  std::promise<CopyOutcome> promise;
  auto journal = create();
  CopyOptions salvaging = options();
  salvaging.use_extents = false;
  salvaging.salvage = true;
  {
    auto threads = CopyThreads::start(
        {std::shared_ptr<Volume>(&source, [](Volume*) {}), faulty_, journal}, salvaging,
        [&](CopyOutcome result) { promise.set_value(std::move(result)); });
    EXPECT_EQ(promise.get_future().get().bad, bad);
  }
  journal.reset();
  RangeSet recorded;
  const auto again = open();
  for (const Range& range : again->contents().bad) recorded.add(range);
  EXPECT_EQ(recorded.list(), bad);
}

TEST_F(CheckpointTest, EndTheCopyWhereTheJournalCannotBeWritten) {
  { create(); }
  UniqueDescriptor read_only(::open(path().c_str(), O_RDONLY | O_CLOEXEC));
  auto contents = Journal::read(path());
  std::shared_ptr<Journal> journal = Journal::on(std::move(read_only), contents.value());
  const CopyOutcome outcome = run(options(), journal);
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code, "ERR_JOURNAL");
}

TEST_F(CheckpointTest, RefuseAJournalOfAnotherCopy) {
  auto other = Journal::create(path(), {.size = kSize - 1, .job = "{}"});
  EXPECT_EQ(run(options(), std::move(other.value())).error->code, "ERR_JOURNAL");
  ::unlink(path().c_str());
  EXPECT_EQ(run(options(kChunk), create()).error->code, "ERR_JOURNAL");
}

TEST_F(CheckpointTest, TakeTheDigestsOfARangeAlone) {
  auto list = Journal::create_temporary(folder_.path(""), {.size = kSize, .base = 2 * kChunk});
  std::shared_ptr<Journal> journal = std::move(list.value());
  CopyOptions part = options(2 * kChunk);
  part.end = 7 * kChunk;
  ASSERT_FALSE(run(part, journal).error);
  auto whole = Journal::create_temporary(folder_.path(""), {.size = kSize});
  std::shared_ptr<Journal> all = std::move(whole.value());
  ASSERT_FALSE(run(options(), all).error);
  EXPECT_EQ(journal->chunks(2 * kChunk, 7 * kChunk).value(),
            all->chunks(2 * kChunk, 7 * kChunk).value());
}

}  // namespace
}  // namespace blockhaul::test
