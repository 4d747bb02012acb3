// What a journal says after whatever may happen to its file.

#include "copy/journal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>

#include "core/units.h"
#include "io/reactor_thread.h"
#include "support/content.h"
#include "support/faulty_reactor.h"
#include "support/reactor_host.h"
#include "support/temporary.h"

namespace blockhaul::test {
namespace {

constexpr std::uint64_t kSize = 20 * kChunk + 513;

DigestValue digest_of(std::uint64_t number) {
  return digest_bytes(DigestKind::xxh3, std::as_bytes(std::span(&number, 1)));
}

std::vector<ChunkRun> runs_from(std::uint64_t first, std::uint64_t count) {
  std::vector<ChunkRun> runs;
  for (std::uint64_t i = 0; i < count; ++i) append_run(runs, {1, digest_of(first + i)});
  return runs;
}

std::string contents_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class JournalTest : public testing::Test {
 protected:
  JournalTest() {
    auto started = ReactorThread::start(ReactorKind::automatic, 4);
    EXPECT_TRUE(started);
    reactor_ = std::move(started.value());
  }

  [[nodiscard]] std::string path() const { return folder_.path("one.journal"); }
  std::unique_ptr<Journal> create(DigestKind digest = DigestKind::xxh3) {
    auto made = Journal::create(path(), {.size = kSize, .digest = digest, .job = R"({"id":"x"})"});
    EXPECT_TRUE(made);
    return std::move(made.value());
  }
  std::unique_ptr<Journal> open() {
    auto opened = Journal::open(path());
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? std::move(opened.value()) : nullptr;
  }
  int checkpoint(Journal& journal, std::uint64_t frontier, std::vector<ChunkRun> runs,
                 std::vector<Range> bad = {}) {
    JournalAppend append{.frontier = frontier, .runs = std::move(runs), .bad = std::move(bad)};
    std::promise<int> done;
    append.context = &done;
    append.on_done = [](JournalAppend& one, int error) noexcept {
      static_cast<std::promise<int>*>(one.context)->set_value(error);
    };
    post(reactor_->reactor(), [&] { journal.append(reactor_->reactor(), append); });
    return done.get_future().get();
  }

  TemporaryFolder folder_;
  std::unique_ptr<ReactorThread> reactor_;
};

TEST_F(JournalTest, SaysWhatWasAppended) {
  {
    auto journal = create();
    EXPECT_EQ(checkpoint(*journal, 3 * kChunk, runs_from(0, 3)), 0);
    EXPECT_EQ(checkpoint(*journal, 5 * kChunk, runs_from(3, 2), {{4 * kChunk, 4096}}), 0);
    EXPECT_TRUE(journal->append_note(R"({"type":"ended"})"));
    EXPECT_EQ(checkpoint(*journal, kSize, runs_from(5, 16)), 0);
    EXPECT_EQ(journal->frontier(), kSize);
  }
  auto journal = open();
  const JournalContents& contents = journal->contents();
  EXPECT_EQ(contents.header.size, kSize);
  EXPECT_EQ(contents.header.job, R"({"id":"x"})");
  EXPECT_EQ(contents.frontier, kSize);
  EXPECT_EQ(contents.bad, (std::vector<Range>{{4 * kChunk, 4096}}));
  EXPECT_EQ(contents.notes, (std::vector<std::string>{R"({"type":"ended"})"}));
  EXPECT_FALSE(contents.torn);
  EXPECT_EQ(journal->chunks(0, kSize).value(), runs_from(0, 21));
}

TEST_F(JournalTest, GivesAnyRangeOfItsChunks) {
  auto journal = create();
  std::uint64_t chunk = 0;
  for (const std::uint64_t count : {1, 4, 2, 9, 4}) {
    EXPECT_EQ(checkpoint(*journal, (chunk + count) * kChunk, runs_from(chunk, count)), 0);
    chunk += count;
  }
  for (std::uint64_t begin = 0; begin <= chunk; ++begin) {
    for (std::uint64_t end = begin; end <= chunk; ++end) {
      EXPECT_EQ(journal->chunks(begin * kChunk, end * kChunk).value(),
                runs_from(begin, end - begin))
          << begin << " to " << end;
    }
  }
}

TEST_F(JournalTest, KeepsEqualChunksAsOneRunAndLargeCheckpointsInParts) {
  constexpr std::uint64_t kMany = 40'000;
  auto made = Journal::create(path(), {.size = (2 * kMany + 1) * kChunk, .job = "{}"});
  auto& journal = *made.value();
  EXPECT_EQ(checkpoint(journal, kMany * kChunk, {{kMany, digest_of(7)}}), 0);
  EXPECT_LT(contents_of(path()).size(), 200U);
  EXPECT_EQ(checkpoint(journal, 2 * kMany * kChunk, runs_from(0, kMany)), 0);
  EXPECT_EQ(checkpoint(journal, (2 * kMany + 1) * kChunk, runs_from(3, 1)), 0);
  auto opened = open();
  EXPECT_EQ(opened->frontier(), (2 * kMany + 1) * kChunk);
  EXPECT_EQ(opened->chunks(kMany * kChunk, 2 * kMany * kChunk).value(), runs_from(0, kMany));
}

TEST_F(JournalTest, TakesBackWhatWasRewoundAndGoesOnFromThere) {
  {
    auto journal = create();
    EXPECT_EQ(checkpoint(*journal, 4 * kChunk, runs_from(0, 4), {{kChunk, 512}}), 0);
    EXPECT_EQ(checkpoint(*journal, 9 * kChunk, runs_from(4, 5), {{6 * kChunk, 512}}), 0);
    EXPECT_TRUE(journal->rewind(6 * kChunk));
    EXPECT_EQ(checkpoint(*journal, 8 * kChunk, runs_from(100, 2)), 0);
  }
  auto journal = open();
  EXPECT_EQ(journal->frontier(), 8 * kChunk);
  EXPECT_EQ(journal->contents().bad, (std::vector<Range>{{kChunk, 512}}));
  std::vector<ChunkRun> expected = runs_from(0, 6);
  for (const ChunkRun& run : runs_from(100, 2)) expected.push_back(run);
  EXPECT_EQ(journal->chunks(0, 8 * kChunk).value(), expected);
}

TEST_F(JournalTest, TakesBackSeveralCheckpointsAtOnce) {
  std::vector<ChunkRun> expected = runs_from(0, 2);
  for (const ChunkRun& run : runs_from(100, 3)) expected.push_back(run);
  {
    auto journal = create();
    for (const std::uint64_t chunk : {0, 3, 6})
      EXPECT_EQ(checkpoint(*journal, (chunk + 3) * kChunk, runs_from(chunk, 3)), 0);
    EXPECT_TRUE(journal->rewind(2 * kChunk));
    EXPECT_EQ(checkpoint(*journal, 5 * kChunk, runs_from(100, 3)), 0);
    EXPECT_EQ(journal->chunks(0, 5 * kChunk).value(), expected);
  }
  auto journal = open();
  EXPECT_EQ(journal->frontier(), 5 * kChunk);
  EXPECT_EQ(journal->contents().checkpoints.size(), 2U);
  EXPECT_EQ(journal->chunks(0, 5 * kChunk).value(), expected);
}

// The kernel may write less than it was asked to.
TEST_F(JournalTest, TakesUpAShortWriteWhereItEnded) {
  FaultyReactor reactor;
  reactor.perform = [](const FileOperation& operation) {
    return FaultyReactor::up_to(operation, 7);
  };
  {
    auto journal = create();
    bool done = false;
    JournalAppend append{.frontier = 4 * kChunk, .runs = runs_from(0, 4)};
    append.context = &done;
    append.on_done = [](JournalAppend& one, int error) noexcept {
      EXPECT_EQ(error, 0);
      *static_cast<bool*>(one.context) = true;
    };
    journal->append(reactor, append);
    while (!done) reactor.turn();
  }
  auto journal = open();
  EXPECT_FALSE(journal->contents().torn);
  EXPECT_EQ(journal->frontier(), 4 * kChunk);
  EXPECT_EQ(journal->chunks(0, 4 * kChunk).value(), runs_from(0, 4));
}

TEST_F(JournalTest, DropsATailThatIsTornAtAnyByte) {
  std::vector<std::pair<std::size_t, std::uint64_t>> sizes;
  {
    auto journal = create();
    sizes.emplace_back(contents_of(path()).size(), 0);
    for (std::uint64_t chunk = 1; chunk <= 4; ++chunk) {
      EXPECT_EQ(checkpoint(*journal, chunk * kChunk, runs_from(chunk - 1, 1)), 0);
      sizes.emplace_back(contents_of(path()).size(), chunk * kChunk);
    }
  }
  const std::string whole = contents_of(path());
  for (std::size_t size = sizes.front().first; size <= whole.size(); ++size) {
    write(path(), whole.substr(0, size));
    std::uint64_t expected = 0;
    std::size_t kept = 0;
    for (const auto& [bytes, frontier] : sizes) {
      if (bytes > size) break;
      expected = frontier;
      kept = bytes;
    }
    auto journal = open();
    ASSERT_NE(journal, nullptr) << size << " bytes";
    EXPECT_EQ(journal->frontier(), expected) << size << " bytes";
    EXPECT_EQ(journal->contents().torn, kept != size);
    EXPECT_EQ(contents_of(path()).size(), kept) << "the tail stays";
  }
}

TEST_F(JournalTest, BelievesNoRecordInWhichOneBitIsWrong) {
  {
    auto journal = create();
    for (std::uint64_t chunk = 1; chunk <= 3; ++chunk)
      EXPECT_EQ(checkpoint(*journal, chunk * kChunk, runs_from(chunk - 1, 1)), 0);
  }
  const std::string whole = contents_of(path());
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    write(path(), damaged);
    auto opened = Journal::read(path());
    if (!opened) {
      EXPECT_EQ(opened.error().code, "ERR_JOURNAL");
      continue;
    }
    EXPECT_LT(opened.value().frontier, 3 * kChunk) << "bit " << bit;
    EXPECT_TRUE(opened.value().torn) << "bit " << bit;
    EXPECT_EQ(opened.value().header.size, kSize) << "bit " << bit;
  }
}

TEST_F(JournalTest, BelievesNoRecordOfAnotherJournalOrAnotherPlace) {
  std::string first;
  std::string header;
  {
    auto journal = create();
    header = contents_of(path());
    EXPECT_EQ(checkpoint(*journal, kChunk, runs_from(0, 1)), 0);
    first = contents_of(path());
  }
  const std::string record = first.substr(header.size());
  write(path(), first + record);
  EXPECT_EQ(Journal::read(path()).value().frontier, kChunk) << "a record stands twice";
  ::unlink(path().c_str());
  create();
  write(path(), contents_of(path()) + record);
  EXPECT_EQ(Journal::read(path()).value().frontier, 0U) << "a record of another journal";
}

TEST_F(JournalTest, RefusesWhatIsNone) {
  for (const char* bytes :
       {"", "bhjrnl01", "something else that is long enough", "bhjrnl0112345678"}) {
    write(path(), bytes);
    auto opened = Journal::open(path());
    ASSERT_FALSE(opened) << bytes;
    EXPECT_EQ(opened.error().code, "ERR_JOURNAL");
    EXPECT_EQ(contents_of(path()), bytes) << "it was changed";
  }
  EXPECT_EQ(Journal::open(path() + "-missing").error().number, ENOENT);
}

TEST_F(JournalTest, IsMadeOnceForItsOwnerOnly) {
  auto journal = create();
  struct stat status {};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_EQ(Journal::create(path(), {.size = 1}).error().number, EEXIST);
}

TEST_F(JournalTest, LeavesNothingOfATemporaryOne) {
  auto made = Journal::create_temporary(folder_.path(""), {.size = kSize, .base = 2 * kChunk});
  ASSERT_TRUE(made);
  EXPECT_EQ(checkpoint(*made.value(), 5 * kChunk, runs_from(2, 3)), 0);
  EXPECT_EQ(made.value()->chunks(3 * kChunk, 5 * kChunk).value(), runs_from(3, 2));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path("")));
}

TEST_F(JournalTest, TakesNothingMoreAfterAnAppendFailed) {
  // A descriptor that cannot be written to, as a file system that is full would be.
  { create(); }
  auto contents = Journal::read(path());
  UniqueDescriptor read_only(::open(path().c_str(), O_RDONLY | O_CLOEXEC));
  auto journal = Journal::on(std::move(read_only), contents.value());
  EXPECT_EQ(checkpoint(*journal, kChunk, runs_from(0, 1)), EBADF);
  EXPECT_EQ(checkpoint(*journal, kChunk, runs_from(0, 1)), EIO);
  EXPECT_FALSE(journal->append_note("{}"));
  EXPECT_EQ(journal->frontier(), 0U);
}

}  // namespace
}  // namespace blockhaul::test
