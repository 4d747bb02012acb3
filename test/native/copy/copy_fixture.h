#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "copy/logged.h"
#include "support/content.h"
#include "support/simulated_copy.h"
#include "volume/fault_volume.h"

namespace blockhaul::test {

/// Two memory volumes behind fault volumes, in a world of their own, and a copy between them.
struct CopyStage {
  CopyStage(const Content& content, const MemoryVolumeOptions& source_options,
            const MemoryVolumeOptions& target_options, const CopyOptions& wanted,
            std::uint64_t seed)
      : world(seed),
        source(source_options),
        target(target_options),
        source_faults(source),
        target_faults(target),
        options(wanted) {
    // Behind what is copied, the source holds something else.
    source.bytes() = random_bytes(source_options.size, seed + 2000);
    std::copy(content.bytes.begin(), content.bytes.end(), source.bytes().begin());
    source_before = source.bytes();
    if (target_options.zero_state == ZeroState::unknown)
      target.bytes() = random_bytes(target_options.size, seed + 1000);
    before = target.bytes();
    options.size = content.bytes.size();
    copy = std::make_unique<SimulatedCopy>(world, source_faults, target_faults, options);
    copy->watch(source);
    copy->watch(target);
  }

  /// What must be true however the copy ended.
  void check_invariants(const Content& content, const CopyRun& run) const {
    ASSERT_TRUE(run.ended) << "the copy hangs";
    EXPECT_EQ(run.faults, std::vector<std::string>{});
    EXPECT_EQ(source.faults(), std::vector<std::string>{});
    EXPECT_EQ(target.faults(), std::vector<std::string>{});
    EXPECT_EQ(source_faults.in_flight(), 0U);
    EXPECT_EQ(target_faults.in_flight(), 0U);
    EXPECT_EQ(difference(source_before, source_bytes()), "") << "the source was changed";
    for (const LoggedRequest& request : source.log())
      EXPECT_EQ(request.operation, Operation::read) << "at " << request.offset;
    check_target(content);
  }

  /// Each byte of the target is the source's, or what it was: never anything else. Behind the
  /// source's end it is what it was.
  void check_target(const Content& content) const {
    const Bytes& now = target_bytes();
    const std::size_t copied = content.bytes.size();
    constexpr std::size_t kBlock = 4096;
    for (std::size_t at = 0; at < now.size(); at += kBlock) {
      const std::size_t length = std::min(kBlock, now.size() - at);
      if (std::memcmp(now.data() + at, before.data() + at, length) == 0) continue;
      if (at + length <= copied &&
          std::memcmp(now.data() + at, content.bytes.data() + at, length) == 0) {
        continue;
      }
      for (std::size_t i = at; i < at + length; ++i) {
        ASSERT_TRUE(now[i] == before[i] || (i < copied && now[i] == content.bytes[i]))
            << "byte " << i << " of the target is neither the source's nor what it was";
      }
    }
  }

  void check_success(const Content& content, const CopyRun& run) const {
    check_invariants(content, run);
    ASSERT_FALSE(run.outcome.error) << run.outcome.error->message;
    EXPECT_EQ(run.state, CopyState::done);
    EXPECT_EQ(run.done(), content.bytes.size()) << "not all is accounted for";
    Bytes expected = before;
    std::copy(content.bytes.begin(), content.bytes.end(), expected.begin());
    EXPECT_EQ(difference(expected, target_bytes()), "");
    if (options.digest != DigestKind::none) {
      EXPECT_EQ(run.outcome.digest, reference_digest(options.digest, content.bytes));
    }
    ASSERT_FALSE(target.log().empty());
    EXPECT_EQ(target.log().back().operation, Operation::flush);
  }

  [[nodiscard]] const Bytes& source_bytes() const {
    return const_cast<MemoryVolume&>(source).bytes();
  }
  [[nodiscard]] const Bytes& target_bytes() const {
    return const_cast<MemoryVolume&>(target).bytes();
  }

  Simulation world;
  MemoryVolume source;
  MemoryVolume target;
  FaultVolume source_faults;
  FaultVolume target_faults;
  CopyOptions options;
  Bytes source_before{};
  Bytes before{};  ///< the target's
  std::unique_ptr<SimulatedCopy> copy{};
};

/// Content with all that a copy treats differently: holes and data of whole leaves and of parts,
/// zeros in data that are long, short, and at a request's end, and a tail.
inline Content varied_content() {
  Content content = content_of(1500 * kKiB + 77,
                               {{0, 200 * kKiB, ExtentKind::data},
                                {400 * kKiB, 10, ExtentKind::data},
                                {640 * kKiB, 700 * kKiB, ExtentKind::data},
                                {1499 * kKiB, kKiB + 77, ExtentKind::data}},
                               7);
  const auto clear = [&](std::uint64_t from, std::uint64_t length) {
    std::fill_n(content.bytes.begin() + static_cast<std::ptrdiff_t>(from), length, std::byte{});
  };
  clear(60 * kKiB, 20 * kKiB);
  clear(700 * kKiB, 80 * kKiB);
  clear(1000 * kKiB, 24 * kKiB);
  return content;
}

}  // namespace blockhaul::test
