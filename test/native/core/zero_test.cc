#include "core/zero.h"

#include <gtest/gtest.h>

#include <vector>

namespace blockhaul::test {
namespace {

constexpr std::size_t kLongest = 300;
constexpr std::size_t kStarts = 33;

struct NamedVersion {
  const char* name;
  bool (*run)(std::span<const std::byte>);
};

class IsZeroTest : public testing::TestWithParam<NamedVersion> {};

// Catches a version that stops before the tail, or looks past the end: what lies around the range
// is not zero.
TEST_P(IsZeroTest, IsTrueForZerosOfAnyLengthAndStart) {
  const auto is_zero_version_of = GetParam().run;
  for (std::size_t start = 0; start < kStarts; ++start) {
    for (std::size_t length = 0; length <= kLongest; ++length) {
      std::vector<std::byte> memory(kStarts + kLongest + 1, std::byte{0xff});
      std::fill_n(memory.begin() + static_cast<std::ptrdiff_t>(start), length, std::byte{});
      ASSERT_TRUE(is_zero_version_of({memory.data() + start, length}))
          << length << " bytes from " << start;
    }
  }
}

TEST_P(IsZeroTest, SeesEverySingleByteThatIsNotZero) {
  const auto is_zero_version_of = GetParam().run;
  std::vector<std::byte> memory(kStarts + kLongest);
  for (std::size_t start = 0; start < kStarts; start += start < 4 ? 1 : 7) {
    for (std::size_t length = 1; length <= kLongest; ++length) {
      for (std::size_t at = 0; at < length; ++at) {
        // A single bit, high or low: a comparison that looks at signs alone misses one of them.
        memory[start + at] = at % 2 == 0 ? std::byte{0x80} : std::byte{0x01};
        ASSERT_FALSE(is_zero_version_of({memory.data() + start, length}))
            << "byte " << at << " of " << length << " from " << start;
        memory[start + at] = std::byte{};
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Versions, IsZeroTest,
                         testing::Values(NamedVersion{"portable", is_zero_portable},
                                         NamedVersion{"chosen", is_zero}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(IsZeroVersionTest, IsTheWidestThatTheProcessorHas) {
#if defined(__x86_64__)
  const bool wide = __builtin_cpu_supports("avx2") != 0;
  EXPECT_EQ(is_zero_version(), wide ? "avx2" : "sse2");
#else
  EXPECT_EQ(is_zero_version(), "portable");
#endif
}

}  // namespace
}  // namespace blockhaul::test
