// Which requests reach the volumes, in which sizes: the final bytes alone would not show a copy
// that reads what it need not, splits what belongs together, or writes zeros that are there
// already.

#include <gtest/gtest.h>

#include <algorithm>

#include "copy/logged.h"
#include "support/content.h"
#include "support/simulated_copy.h"

namespace blockhaul::test {
namespace {

using Log = std::vector<LoggedRequest>;

constexpr Operation kRead = Operation::read;
constexpr Operation kWrite = Operation::write;
constexpr Operation kZero = Operation::zero;
const LoggedRequest kFlush{Operation::flush, 0, 0};

/// One copy with exact logs. Requests go one after the other, so that their order is known.
class CopyLogTest : public testing::Test {
 protected:
  void copy(const Content& content, MemoryVolumeOptions target) {
    source_options_.size = content.bytes.size();
    source_options_.extents = maps_ ? content.extents : std::vector<Extent>{};
    if (target.size == 0) target.size = content.bytes.size();
    MemoryVolume from(source_options_);
    from.bytes() = content.bytes;
    MemoryVolume to(target);
    if (target.zero_state == ZeroState::unknown) to.bytes() = random_bytes(target.size, 99);
    const Bytes before = to.bytes();

    options_.size = content.bytes.size();
    Simulation world(1);
    result_ = run_copy(world, from, to, options_);
    ASSERT_TRUE(result_.ended) << "the copy hangs";
    EXPECT_FALSE(result_.outcome.error) << result_.outcome.error->message;
    EXPECT_EQ(result_.faults, std::vector<std::string>{});
    EXPECT_EQ(from.faults(), std::vector<std::string>{});
    EXPECT_EQ(to.faults(), std::vector<std::string>{});
    EXPECT_EQ(result_.done(), options_.size);
    EXPECT_EQ(result_.outcome.digest, reference_digest(options_.digest, content.bytes));
    source_log_ = from.log();
    target_log_ = to.log();
    Bytes expected = before;
    std::copy(content.bytes.begin(), content.bytes.end(), expected.begin());
    EXPECT_EQ(difference(expected, to.bytes()), "");
    EXPECT_EQ(difference(content.bytes, from.bytes()), "") << "the source was changed";
  }

  bool maps_ = true;
  MemoryVolumeOptions source_options_{};
  CopyOptions options_{.request_size = kMiB, .requests = 1};
  CopyRun result_{};
  Log source_log_{};
  Log target_log_{};
};

const MemoryVolumeOptions kProvenZero{.zero_state = ZeroState::proven_zero};
const MemoryVolumeOptions kUnknown{};
const MemoryVolumeOptions kCannotZero{.zeroes = false};
const MemoryVolumeOptions kRefusesZeroes{.refuses_zeroes = true};

Content all_data(std::size_t size) { return content_of(size, {{0, size, ExtentKind::data}}, 1); }
Content all_hole(std::size_t size) { return content_of(size, {}, 1); }

TEST_F(CopyLogTest, AllData) {
  for (const MemoryVolumeOptions& target : {kProvenZero, kUnknown, kCannotZero, kRefusesZeroes}) {
    copy(all_data(3 * kMiB), target);
    EXPECT_EQ(source_log_, (Log{{kRead, 0, kMiB}, {kRead, kMiB, kMiB}, {kRead, 2 * kMiB, kMiB}}));
    EXPECT_EQ(target_log_,
              (Log{{kWrite, 0, kMiB}, {kWrite, kMiB, kMiB}, {kWrite, 2 * kMiB, kMiB}, kFlush}));
    EXPECT_EQ(result_.written, 3 * kMiB);
    EXPECT_EQ(result_.read, 3 * kMiB);
  }
}

TEST_F(CopyLogTest, AnEmptyVolumeIsFlushedAllTheSame) {
  copy(all_data(0), kUnknown);
  EXPECT_EQ(source_log_, Log{});
  EXPECT_EQ(target_log_, Log{kFlush});
}

TEST_F(CopyLogTest, AHoleOntoProvenZerosIsNothingButAFlush) {
  copy(all_hole(5 * kMiB + 1), kProvenZero);
  EXPECT_EQ(source_log_, Log{});
  EXPECT_EQ(target_log_, Log{kFlush});
  EXPECT_EQ(result_.skipped, 5 * kMiB + 1);
}

TEST_F(CopyLogTest, AHoleIsZeroedWhereTheTargetWasWrittenSinceItWasProvenZero) {
  copy(all_hole(5 * kMiB + 1), {.zero_state = ZeroState::proven_zero, .stays_zero = false});
  EXPECT_EQ(target_log_, (Log{{kZero, 0, 5 * kMiB + 1}, kFlush}));
  EXPECT_EQ(result_.skipped, 0U);
}

TEST_F(CopyLogTest, ZerosThatNoMapKnowsAreReadButNotWrittenOntoProvenZeros) {
  maps_ = false;
  copy(all_hole(2 * kMiB + 1), kProvenZero);
  EXPECT_EQ(source_log_, (Log{{kRead, 0, kMiB}, {kRead, kMiB, kMiB}, {kRead, 2 * kMiB, 1}}));
  EXPECT_EQ(target_log_, Log{kFlush});
  EXPECT_EQ(result_.skipped, 2 * kMiB + 1);
}

TEST_F(CopyLogTest, TheMapIsNotAskedWhereTheOptionsSayNo) {
  options_.use_extents = false;
  copy(all_hole(2 * kMiB), kProvenZero);
  EXPECT_EQ(source_log_, (Log{{kRead, 0, kMiB}, {kRead, kMiB, kMiB}}));
}

TEST_F(CopyLogTest, AHoleOntoUnknownContentIsZeroedInOne) {
  copy(all_hole(5 * kMiB + 1), kUnknown);
  EXPECT_EQ(source_log_, Log{});
  EXPECT_EQ(target_log_, (Log{{kZero, 0, 5 * kMiB + 1}, kFlush}));
  EXPECT_EQ(result_.zeroed, 5 * kMiB + 1);
}

// The target says that it zeroes and refuses when asked: each piece is tried, then written.
TEST_F(CopyLogTest, AHoleIsWrittenWhereZeroingIsRefused) {
  copy(all_hole(2 * kMiB + kLeaf + 1), kRefusesZeroes);
  EXPECT_EQ(source_log_, Log{});
  EXPECT_EQ(target_log_, (Log{{kZero, 0, 2 * kMiB + kLeaf + 1},
                              {kWrite, 0, kMiB},
                              {kWrite, kMiB, kMiB},
                              {kWrite, 2 * kMiB, kLeaf + 1},
                              kFlush}));
  EXPECT_EQ(result_.zeroed, 2 * kMiB + kLeaf + 1);
}

TEST_F(CopyLogTest, AHoleIsWrittenInRequestsWhereTheTargetNeverZeroes) {
  copy(all_hole(2 * kMiB), kCannotZero);
  EXPECT_EQ(source_log_, Log{});
  EXPECT_EQ(
      target_log_,
      (Log{
          {kZero, 0, kMiB}, {kWrite, 0, kMiB}, {kZero, kMiB, kMiB}, {kWrite, kMiB, kMiB}, kFlush}));
}

// Zeros that are read cost no second look: they are written as the data that they came with.
TEST_F(CopyLogTest, ZerosThatAreReadAreWrittenWhereTheTargetNeverZeroes) {
  maps_ = false;
  copy(all_hole(kMiB + 1), kCannotZero);
  EXPECT_EQ(target_log_, (Log{{kWrite, 0, kMiB}, {kWrite, kMiB, 1}, kFlush}));
}

TEST_F(CopyLogTest, ASparseVolumeIsReadWhereItHasData) {
  const std::size_t size = 12 * kMiB;
  const Content content = content_of(
      size, {{2 * kMiB, kLeaf, ExtentKind::data}, {7 * kMiB, 2 * kMiB, ExtentKind::data}}, 1);
  const Log reads = {{kRead, 2 * kMiB, kLeaf}, {kRead, 7 * kMiB, kMiB}, {kRead, 8 * kMiB, kMiB}};
  const Log writes = {
      {kWrite, 2 * kMiB, kLeaf}, {kWrite, 7 * kMiB, kMiB}, {kWrite, 8 * kMiB, kMiB}, kFlush};
  copy(content, kProvenZero);
  EXPECT_EQ(source_log_, reads);
  EXPECT_EQ(target_log_, writes);
  EXPECT_EQ(result_.skipped, size - 2 * kMiB - kLeaf);

  copy(content, kUnknown);
  EXPECT_EQ(source_log_, reads);
  EXPECT_EQ(target_log_, (Log{{kZero, 0, 2 * kMiB},
                              {kWrite, 2 * kMiB, kLeaf},
                              {kZero, 2 * kMiB + kLeaf, 5 * kMiB - kLeaf},
                              {kWrite, 7 * kMiB, kMiB},
                              {kWrite, 8 * kMiB, kMiB},
                              {kZero, 9 * kMiB, 3 * kMiB},
                              kFlush}));
}

// 4 KiB of data, 4 KiB of zeros, and so on: a request a block would be a disaster.
TEST_F(CopyLogTest, Alternating4KiBOntoProvenZeros) {
  copy(alternating(2 * kMiB, 4096, 1), kProvenZero);
  EXPECT_EQ(source_log_, (Log{{kRead, 0, kMiB}, {kRead, kMiB, kMiB}}));
  // The zeros at the end of what was read need no write; those in between go with the data.
  EXPECT_EQ(target_log_, (Log{{kWrite, 0, kMiB - 4096}, {kWrite, kMiB, kMiB - 4096}, kFlush}));
  EXPECT_EQ(result_.skipped, 2 * 4096U);
}

TEST_F(CopyLogTest, Alternating4KiBOntoUnknownContent) {
  const Log reads = {{kRead, 0, kMiB}, {kRead, kMiB, kMiB}};
  copy(alternating(2 * kMiB, 4096, 1), kUnknown);
  EXPECT_EQ(source_log_, reads);
  EXPECT_EQ(target_log_, (Log{{kWrite, 0, kMiB - 4096},
                              {kZero, kMiB - 4096, 4096},
                              {kWrite, kMiB, kMiB - 4096},
                              {kZero, 2 * kMiB - 4096, 4096},
                              kFlush}));
  copy(alternating(2 * kMiB, 4096, 1), kCannotZero);
  EXPECT_EQ(target_log_, (Log{{kWrite, 0, kMiB}, {kWrite, kMiB, kMiB}, kFlush}));
}

TEST_F(CopyLogTest, AlternatingLeavesAreReadOneByOne) {
  copy(alternating(4 * kLeaf, kLeaf, 1), kProvenZero);
  EXPECT_EQ(source_log_, (Log{{kRead, 0, kLeaf}, {kRead, 2 * kLeaf, kLeaf}}));
  EXPECT_EQ(target_log_, (Log{{kWrite, 0, kLeaf}, {kWrite, 2 * kLeaf, kLeaf}, kFlush}));
}

// 16 KiB of zeros inside data are worth a skip, 64 KiB are worth a zero request.
TEST_F(CopyLogTest, ZerosWithinDataAreLeftOutFromALengthOn) {
  const auto with_zeros = [](std::uint64_t length) {
    const std::uint64_t from = 256 * kKiB;
    return content_of(
        kMiB,
        {{0, from, ExtentKind::data}, {from + length, kMiB - from - length, ExtentKind::data}}, 1);
  };
  const std::uint64_t from = 256 * kKiB;
  maps_ = false;
  copy(with_zeros(12 * kKiB), kProvenZero);
  EXPECT_EQ(target_log_, (Log{{kWrite, 0, kMiB}, kFlush}));
  copy(with_zeros(16 * kKiB), kProvenZero);
  EXPECT_EQ(target_log_,
            (Log{{kWrite, 0, from}, {kWrite, from + 16 * kKiB, kMiB - from - 16 * kKiB}, kFlush}));
  copy(with_zeros(60 * kKiB), kUnknown);
  EXPECT_EQ(target_log_, (Log{{kWrite, 0, kMiB}, kFlush}));
  copy(with_zeros(64 * kKiB), kUnknown);
  EXPECT_EQ(target_log_, (Log{{kWrite, 0, from},
                              {kZero, from, 64 * kKiB},
                              {kWrite, from + 64 * kKiB, kMiB - from - 64 * kKiB},
                              kFlush}));
}

class CopyTailTest : public CopyLogTest, public testing::WithParamInterface<std::size_t> {};

TEST_P(CopyTailTest, TheTailIsCopiedAndNothingBehindIt) {
  const std::size_t size = GetParam();
  Log reads;
  Log writes;
  for (std::uint64_t at = 0; at < size; at += kMiB) {
    reads.push_back({kRead, at, std::min(kMiB, size - at)});
    writes.push_back({kWrite, at, std::min(kMiB, size - at)});
  }
  writes.push_back(kFlush);
  for (MemoryVolumeOptions target : {kProvenZero, kUnknown, kCannotZero}) {
    for (const std::size_t behind : {std::size_t{0}, std::size_t{1}, std::size_t{70'000}}) {
      target.size = size + behind;
      copy(all_data(size), target);
      EXPECT_EQ(source_log_, reads);
      EXPECT_EQ(target_log_, writes);
    }
  }
}

TEST_P(CopyTailTest, ATailOfZerosIsMadeZeroToItsLastByte) {
  const std::size_t size = GetParam();
  for (const bool maps : {true, false}) {
    maps_ = maps;
    for (MemoryVolumeOptions target : {kUnknown, kRefusesZeroes, kCannotZero}) {
      target.size = size + 513;
      copy(all_hole(size), target);
      EXPECT_EQ(source_log_.empty(), maps);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, CopyTailTest,
                         testing::Values(1, 511, 512, 513, 4095, 4096, 4097, kLeaf - 1, kLeaf + 1,
                                         4 * kMiB - 1, 4 * kMiB, 4 * kMiB + 1));

// Zeros written because zeroing is refused stay within multiples of the request's size, wherever
// the hole begins: a target that likes aligned requests (an RBD image) gets them.
TEST_F(CopyLogTest, WrittenZerosStayWithinRequests) {
  const std::size_t size = 3 * kMiB;
  const Content content = content_of(size, {{0, kMiB - kLeaf, ExtentKind::data}}, 1);
  copy(content, kRefusesZeroes);
  EXPECT_EQ(target_log_, (Log{{kWrite, 0, kMiB - kLeaf},
                              {kZero, kMiB - kLeaf, 2 * kMiB + kLeaf},
                              {kWrite, kMiB - kLeaf, kLeaf},
                              {kWrite, kMiB, kMiB},
                              {kWrite, 2 * kMiB, kMiB},
                              kFlush}));
}

// A hole of many GiB is no single request: a cancel must not wait for it.
TEST_F(CopyLogTest, AZeroRequestHasALargestSize) {
  const std::size_t size = 600 * kMiB;
  ScriptedTarget target(size);
  ScriptedSource source(size, answer_from({{0, size, ExtentKind::hole}}, 1));
  Simulation world(1);
  options_.size = size;
  const CopyRun run = run_copy(world, source, target, options_);
  ASSERT_TRUE(run.ended);
  EXPECT_FALSE(run.outcome.error);
  EXPECT_EQ(target.log(), (Log{{kZero, 0, 256 * kMiB},
                               {kZero, 256 * kMiB, 256 * kMiB},
                               {kZero, 512 * kMiB, 88 * kMiB},
                               kFlush}));
}

}  // namespace
}  // namespace blockhaul::test
