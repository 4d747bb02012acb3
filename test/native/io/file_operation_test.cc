#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#include <latch>
#include <vector>

#include "core/zero.h"
#include "io/reactor_thread.h"
#include "io/unique_descriptor.h"
#include "support/reactor_host.h"
#include "support/temporary.h"

namespace blockhaul::test {
namespace {

using Kind = FileOperation::Kind;

/// Both reactors must answer alike: the same tests, the same numbers.
class FileOperationTest : public testing::TestWithParam<ReactorKind> {
 protected:
  static constexpr unsigned kPlaces = 4;

  void SetUp() override {
    if (GetParam() == ReactorKind::uring && !probe_uring()) GTEST_SKIP() << "no io_uring here";
    auto started = ReactorThread::start(GetParam(), kPlaces);
    ASSERT_TRUE(started) << started.error().message;
    thread_ = std::move(started.value());
    open("file", O_RDWR | O_CREAT);
  }

  void open(const std::string& name, int flags) {
    file_ = UniqueDescriptor(::open(folder_.path(name).c_str(), flags | O_CLOEXEC, 0600));
    ASSERT_TRUE(file_);
  }

  /// Submits all at once and waits for all results.
  std::vector<std::int64_t> perform(std::vector<FileOperation>& operations) {
    struct Batch {
      std::latch left;
      bool submitting = false;
      bool completed_inside_submit = false;
    } batch{std::latch(static_cast<std::ptrdiff_t>(operations.size()))};
    std::vector<std::int64_t> results(operations.size());
    post(thread_->reactor(), [&] {
      batch.submitting = true;
      for (FileOperation& operation : operations) {
        operation.context = &batch;
        operation.on_done = [](FileOperation& done, std::int64_t result) noexcept {
          auto& all = *static_cast<Batch*>(done.context);
          all.completed_inside_submit |= all.submitting;
          done.result = result;
          all.left.count_down();
        };
        thread_->reactor().submit(operation);
      }
      batch.submitting = false;
    });
    batch.left.wait();
    EXPECT_FALSE(call(thread_->reactor(), [&] { return batch.completed_inside_submit; }));
    for (std::size_t i = 0; i < operations.size(); ++i) results[i] = operations[i].result;
    return results;
  }

  std::int64_t perform(FileOperation operation) {
    std::vector<FileOperation> one{operation};
    return perform(one).front();
  }

  [[nodiscard]] FileOperation transfer(Kind kind, std::uint64_t offset, Bytes& bytes) const {
    return {.kind = kind,
            .descriptor = file_.get(),
            .data = bytes.data(),
            .offset = offset,
            .length = bytes.size()};
  }

  std::int64_t read(std::uint64_t offset, Bytes& bytes) {
    return perform(transfer(Kind::read, offset, bytes));
  }
  std::int64_t write(std::uint64_t offset, Bytes& bytes) {
    return perform(transfer(Kind::write, offset, bytes));
  }

  TemporaryFolder folder_;
  UniqueDescriptor file_;
  std::unique_ptr<ReactorThread> thread_;
};

TEST_P(FileOperationTest, WritesAndReadsAtItsOffset) {
  Bytes written = random_bytes(10'000, 1);
  EXPECT_EQ(write(777, written), 10'000);
  Bytes read_back(10'000);
  EXPECT_EQ(read(777, read_back), 10'000);
  EXPECT_EQ(difference(written, read_back), "");
  const Bytes whole = read_file(folder_.path("file"));
  ASSERT_EQ(whole.size(), 10'777U);
  EXPECT_TRUE(is_zero(std::span(whole).first(777)));
}

TEST_P(FileOperationTest, ReadsShortAtTheEnd) {
  Bytes written = random_bytes(1000, 2);
  ASSERT_EQ(write(0, written), 1000);
  Bytes more(5000);
  EXPECT_EQ(read(0, more), 1000);
  EXPECT_EQ(read(999, more), 1);
  EXPECT_EQ(read(1000, more), 0);
  EXPECT_EQ(read(50'000, more), 0);
}

TEST_P(FileOperationTest, GivesTheErrorOfTheCall) {
  Bytes bytes = random_bytes(100, 3);
  FileOperation operation = transfer(Kind::read, 0, bytes);
  operation.descriptor = -1;
  EXPECT_EQ(perform(operation), -EBADF);

  ASSERT_EQ(write(0, bytes), 100);
  open("file", O_RDONLY);
  EXPECT_EQ(write(0, bytes), -EBADF);
  EXPECT_EQ(read(0, bytes), 100);

  file_ = UniqueDescriptor(::open("/dev/full", O_RDWR | O_CLOEXEC));
  EXPECT_EQ(write(0, bytes), -ENOSPC);

  file_ = UniqueDescriptor(::open(folder_.path(".").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(read(0, bytes), -EISDIR);
}

TEST_P(FileOperationTest, AllocatesAndPunches) {
  Bytes bytes = random_bytes(64 * 1024, 4);
  ASSERT_EQ(write(0, bytes), 64 * 1024);
  EXPECT_EQ(perform({.kind = Kind::allocate,
                     .descriptor = file_.get(),
                     .mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     .offset = 10'000,
                     .length = 20'000}),
            0);
  std::fill_n(bytes.begin() + 10'000, 20'000, std::byte{});
  EXPECT_EQ(difference(bytes, read_file(folder_.path("file"))), "");
  // A hole cannot be punched beyond 2^63.
  EXPECT_EQ(perform({.kind = Kind::allocate,
                     .descriptor = file_.get(),
                     .mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     .offset = 0,
                     .length = 0}),
            -EINVAL);
}

TEST_P(FileOperationTest, Syncs) {
  EXPECT_EQ(perform({.kind = Kind::sync_data, .descriptor = file_.get()}), 0);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueDescriptor one(ends[0]);
  const UniqueDescriptor other(ends[1]);
  EXPECT_EQ(perform({.kind = Kind::sync_data, .descriptor = one.get()}), -EINVAL);
}

// Far more than the reactor has places for: the rest must wait, in order and each once.
TEST_P(FileOperationTest, TakesMoreThanItHasPlacesFor) {
  constexpr std::size_t kCount = 3000;
  constexpr std::size_t kPiece = 64;
  Bytes content = random_bytes(kCount * kPiece, 5);
  std::vector<FileOperation> operations;
  for (std::size_t i = 0; i < kCount; ++i) {
    operations.push_back({.kind = Kind::write,
                          .descriptor = file_.get(),
                          .data = content.data() + i * kPiece,
                          .offset = i * kPiece,
                          .length = kPiece});
  }
  for (const std::int64_t result : perform(operations))
    ASSERT_EQ(result, static_cast<std::int64_t>(kPiece));
  EXPECT_EQ(difference(content, read_file(folder_.path("file"))), "");

  Bytes read_back(content.size());
  for (std::size_t i = 0; i < kCount; ++i) {
    operations[i].kind = Kind::read;
    operations[i].data = read_back.data() + i * kPiece;
  }
  for (const std::int64_t result : perform(operations))
    ASSERT_EQ(result, static_cast<std::int64_t>(kPiece));
  EXPECT_EQ(difference(content, read_back), "");
}

// A completion that submits the next operation, as a copy does, over a full reactor.
TEST_P(FileOperationTest, SubmitsFromACompletion) {
  struct Chain {
    Reactor* reactor = nullptr;
    std::latch* ended = nullptr;
    FileOperation operation{};
    Bytes bytes = Bytes(512);
    int left = 200;
    int failures = 0;
  };
  Bytes content = random_bytes(64 * 1024, 6);
  ASSERT_EQ(write(0, content), 64 * 1024);
  constexpr std::size_t kChains = 3 * kPlaces;
  std::latch ended(kChains);
  std::vector<Chain> chains(kChains);
  post(thread_->reactor(), [&] {
    for (Chain& chain : chains) {
      chain.reactor = &thread_->reactor();
      chain.ended = &ended;
      chain.operation = transfer(Kind::read, 0, chain.bytes);
      chain.operation.context = &chain;
      chain.operation.on_done = [](FileOperation& done, std::int64_t result) noexcept {
        auto& self = *static_cast<Chain*>(done.context);
        if (result != 512) ++self.failures;
        if (--self.left == 0) return self.ended->count_down();
        done.offset += 13;
        self.reactor->submit(done);
      };
      thread_->reactor().submit(chain.operation);
    }
  });
  ended.wait();
  for (const Chain& chain : chains) EXPECT_EQ(chain.failures, 0);
}

// Completions must not keep tasks out, nor tasks completions.
TEST_P(FileOperationTest, ServesTasksInBetween) {
  Bytes content = random_bytes(4096, 7);
  ASSERT_EQ(write(0, content), 4096);
  for (int i = 0; i < 200; ++i) {
    Bytes bytes(4096);
    EXPECT_EQ(read(0, bytes), 4096);
    EXPECT_EQ(call(thread_->reactor(), [i] { return i; }), i);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, FileOperationTest,
                         testing::Values(ReactorKind::uring, ReactorKind::threads),
                         [](const auto& info) {
                           return info.param == ReactorKind::uring ? "uring" : "threads";
                         });

}  // namespace
}  // namespace blockhaul::test
