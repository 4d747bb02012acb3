#include "core/xxh3.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/digest.h"

namespace blockhaul::test {
namespace {

struct Vector {
  std::size_t length;
  const char* hex;
};

/// Of the bytes 0, 1, … 250, 0, 1, …: by Python's xxhash.
constexpr Vector kVectors[] = {
    {0, "99aa06d3014798d86001c324468d497f"},     {1, "a6cd5e9392000f6ac44bdff4074eecdb"},
    {16, "72950631827607e2842812cc870dcae2"},    {17, "685bc458b37d057fc06e233df7729217"},
    {128, "14792fc3af88dc6c05321a0b64d67b41"},   {129, "dd5e74ac6b45f54ebc30b63382b09a3b"},
    {240, "65b5be86da5540e7c92b68e16f83bbb6"},   {241, "1da1cb61bcb8a2a102e8cd95421c6d02"},
    {1024, "d0ac1f7b93bf57b9e5d78bafa45b2aa5"},  {65535, "9a37db99da12045d158b4a19c83280c1"},
    {65536, "f5e7bc5d3d8675bfaaae63800707a868"}, {65537, "0924e7a3a30e818770331d53d92bbc56"},
};

std::vector<std::byte> counting(std::size_t length) {
  std::vector<std::byte> bytes(length);
  for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<std::byte>(i % 251);
  return bytes;
}

std::string hex_of(const Xxh3Value& value) {
  DigestValue digest;
  digest.length = value.size();
  std::copy(value.begin(), value.end(), digest.bytes.begin());
  return digest.hex();
}

struct NamedVersion {
  const char* name;
  Xxh3Value (*run)(std::span<const std::byte>);
};

class Xxh3Test : public testing::TestWithParam<NamedVersion> {};

TEST_P(Xxh3Test, IsWhatOthersCompute) {
  for (const auto& [length, hex] : kVectors) {
    EXPECT_EQ(hex_of(GetParam().run(counting(length))), hex) << length << " bytes";
  }
}

// Catches a version that reads by its own width past the end, or wants its bytes aligned.
TEST_P(Xxh3Test, DoesNotDependOnWhereTheBytesLie) {
  for (const auto& [length, hex] : kVectors) {
    for (const std::size_t start : {1U, 8U, 31U}) {
      std::vector<std::byte> memory(start, std::byte{0xff});
      const std::vector<std::byte> bytes = counting(length);
      memory.insert(memory.end(), bytes.begin(), bytes.end());
      memory.insert(memory.end(), 64, std::byte{0xff});
      EXPECT_EQ(hex_of(GetParam().run({memory.data() + start, length})), hex)
          << length << " bytes from " << start;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Versions, Xxh3Test,
                         testing::Values(NamedVersion{"baseline", xxh3_128_baseline},
                                         NamedVersion{"chosen", xxh3_128}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Xxh3VersionTest, IsTheWidestThatTheProcessorHas) {
#if defined(__x86_64__)
  const bool wide = __builtin_cpu_supports("avx2") != 0;
  EXPECT_EQ(xxh3_version(), wide ? "avx2" : "baseline");
#else
  EXPECT_EQ(xxh3_version(), "baseline");
#endif
}

}  // namespace
}  // namespace blockhaul::test
