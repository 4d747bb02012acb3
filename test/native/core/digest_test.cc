#include "core/digest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>

#include "core/units.h"
#include "support/content.h"
#include "support/temporary.h"

namespace blockhaul::test {
namespace {

struct Vector {
  std::size_t size;
  const char* xxh3;
  const char* sha256;
};

/// What test/support/volume_digest.py says of counted_bytes(size).
constexpr Vector kVectors[] = {
    {0, "2c0a8a99dc147d5445c3b49d035665b2",
     "af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc"},
    {1, "9464fe036b2e11cd8603d722910cac5c",
     "33a6b82281cb27acd16412a73df9307037e2f17af7cc4316fd1e3d3cb57a28ab"},
    {65535, "288729047609fb82308975b2ee6daeeb",
     "6a08471ceba8c9f110fb5f04fa11c43c06d732370b975c5039a9cb3bfc72c12d"},
    {65536, "738b393e9ed7ae7a24d62d3956c20dba",
     "ae6d2d209b1d56ac92c03442306c068a8464f30efa170ad2011b4a760f745745"},
    {65537, "0faafbc1b3d4e44634da9ace282668d8",
     "239b980d2b825681ccc01e002c7c1771245a6ed0ea56023b16b568670efd26cd"},
    {4194303, "f923b8312b5d2d0021bebd26647a57f2",
     "6b039af02e56e489ebb23f857d7d1e7ea9603da3fe0ed29181b1b793662b1f5c"},
    {4194304, "f734800bd87ef6629fa695a23aaec5c7",
     "eacde1a201d0ceb380c4e157a572875575bc4809ed1c76d3847fba7722a984aa"},
    {4194305, "394fc4adb871982b6aaec2dff65944b9",
     "e517fe88455e28ff012d048cf22e6e81423df5227cd5a41c38a03ff84c7b89e2"},
};

Bytes counted_bytes(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::byte>(i * 31 + (i >> 8) * 7 + (i >> 16));
  return bytes;
}

std::span<const std::byte> leaf_of(const Bytes& bytes, std::uint64_t leaf) {
  const std::uint64_t offset = leaf * kLeaf;
  return std::span(bytes).subspan(offset, std::min(kLeaf, bytes.size() - offset));
}

std::string digest_by_leaves(DigestKind kind, const Bytes& bytes, std::mt19937_64* order) {
  std::vector<std::uint64_t> leaves(divide_up(bytes.size(), kLeaf));
  for (std::uint64_t i = 0; i < leaves.size(); ++i) leaves[i] = i;
  if (order != nullptr) std::shuffle(leaves.begin(), leaves.end(), *order);
  VolumeDigest digest(kind, bytes.size());
  for (const std::uint64_t leaf : leaves)
    digest.add_leaf(leaf, digest_bytes(kind, leaf_of(bytes, leaf)));
  return digest.finish()->hex();
}

class DigestTest : public testing::TestWithParam<DigestKind> {};

TEST_P(DigestTest, AgreesWithTheCheckerThatSharesNoCode) {
  std::mt19937_64 random(7);
  for (const Vector& vector : kVectors) {
    const std::string expected = GetParam() == DigestKind::xxh3 ? vector.xxh3 : vector.sha256;
    const Bytes bytes = counted_bytes(vector.size);
    EXPECT_EQ(digest_by_leaves(GetParam(), bytes, nullptr), expected) << vector.size;
    EXPECT_EQ(digest_by_leaves(GetParam(), bytes, &random), expected) << vector.size;
    EXPECT_EQ(reference_digest(GetParam(), bytes), expected) << vector.size;
  }
}

// The vectors are a few sizes; the checker itself is asked about one that spans several chunks.
TEST_P(DigestTest, AgreesWithTheCheckerAboutAFile) {
  if (std::system("/usr/bin/python3 -c 'import xxhash' 2>/dev/null") != 0)
    GTEST_SKIP() << "python3-xxhash is not installed";
  const Bytes bytes = counted_bytes(2 * kChunk + 5 * kLeaf + 17);
  const TemporaryFolder folder;
  write_file(folder.path("volume"), bytes);
  const std::string kind(name_of(GetParam()));
  const std::string command =
      source_folder() + "/test/support/volume_digest.py " + kind + " " + folder.path("volume");
  std::FILE* output = ::popen(command.c_str(), "r");
  ASSERT_NE(output, nullptr);
  char line[128] = {};
  EXPECT_NE(std::fgets(line, sizeof line, output), nullptr);
  EXPECT_EQ(::pclose(output), 0);
  EXPECT_EQ(line, kind + ":" + digest_by_leaves(GetParam(), bytes, nullptr) + "\n");
}

TEST_P(DigestTest, DoesNotDependOnWhetherZerosWereLookedAt) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 30; ++round) {
    // Whole chunks of zeros, runs of leaves across chunks, and a tail that is part of a leaf.
    const std::uint64_t size = 1 + random() % (5 * kChunk);
    const std::uint64_t leaves = divide_up(size, kLeaf);
    Bytes bytes(size);
    std::vector<bool> zero(leaves, false);
    for (std::uint64_t leaf = 0; leaf < leaves;) {
      const std::uint64_t run = std::min(1 + random() % 150, leaves - leaf);
      const bool is_zero = random() % 2 == 0;
      for (std::uint64_t end = leaf + run; leaf < end; ++leaf) {
        zero[leaf] = is_zero;
        if (!is_zero) bytes[leaf * kLeaf] = static_cast<std::byte>(1 + random() % 255);
      }
    }
    struct Part {
      std::uint64_t offset;
      std::uint64_t length;
      bool is_zero;
    };
    std::vector<Part> parts;
    for (std::uint64_t leaf = 0; leaf < leaves; ++leaf) {
      const Part part{leaf * kLeaf, std::min(kLeaf, size - leaf * kLeaf), zero[leaf]};
      const bool joins =
          part.is_zero && !parts.empty() && parts.back().is_zero && random() % 8 != 0;
      if (joins) {
        parts.back().length += part.length;
      } else {
        parts.push_back(part);
      }
    }
    std::shuffle(parts.begin(), parts.end(), random);
    VolumeDigest digest(GetParam(), size);
    for (const Part& part : parts) {
      if (part.is_zero) {
        digest.add_zeros(part.offset, part.length);
      } else {
        const std::uint64_t leaf = part.offset / kLeaf;
        digest.add_leaf(leaf, digest_bytes(GetParam(), leaf_of(bytes, leaf)));
      }
    }
    ASSERT_EQ(digest.finish()->hex(), reference_digest(GetParam(), bytes)) << "round " << round;
  }
}

// Zeros behind what is still being read wait, as one run of many chunks.
TEST_P(DigestTest, CountsEachOfTheZeroChunksThatWait) {
  Bytes bytes(6 * kChunk);
  bytes[0] = std::byte{1};
  bytes[5 * kChunk] = std::byte{2};
  VolumeDigest digest(GetParam(), bytes.size());
  digest.add_zeros(kChunk, 4 * kChunk);
  for (std::uint64_t leaf = 0; leaf < bytes.size() / kLeaf; ++leaf) {
    const std::uint64_t chunk = leaf * kLeaf / kChunk;
    if (chunk == 0 || chunk == 5)
      digest.add_leaf(leaf, digest_bytes(GetParam(), leaf_of(bytes, leaf)));
  }
  EXPECT_EQ(digest.finish()->hex(), reference_digest(GetParam(), bytes));
}

TEST_P(DigestTest, TellsSizesAndPlacesApart) {
  // Volumes that a digest without the size, or without order, would take for one another.
  Bytes bytes(2 * kChunk);
  const std::string zeros = digest_by_leaves(GetParam(), bytes, nullptr);
  bytes.push_back(std::byte{});
  EXPECT_NE(digest_by_leaves(GetParam(), bytes, nullptr), zeros);
  bytes.pop_back();
  bytes[0] = std::byte{1};
  const std::string first = digest_by_leaves(GetParam(), bytes, nullptr);
  EXPECT_NE(first, zeros);
  std::swap(bytes[0], bytes[kLeaf]);
  const std::string second = digest_by_leaves(GetParam(), bytes, nullptr);
  EXPECT_NE(second, first);
  std::swap(bytes[kLeaf], bytes[kChunk]);
  const std::string third = digest_by_leaves(GetParam(), bytes, nullptr);
  EXPECT_NE(third, first);
  EXPECT_NE(third, second);
}

TEST_P(DigestTest, OfAnEmptyVolumeIsThatOfItsSize) {
  VolumeDigest digest(GetParam(), 0);
  digest.add_zeros(0, 0);
  EXPECT_EQ(digest.finish()->hex(), reference_digest(GetParam(), {}));
}

// A volume of 4 TiB without data must not take a table of its chunks, nor minutes.
TEST_P(DigestTest, OfAHugeHoleIsQuick) {
  VolumeDigest digest(GetParam(), 4 * 1024 * kGiB + 1);
  digest.add_zeros(4 * 512 * kGiB, 4 * 512 * kGiB + 1);
  digest.add_zeros(0, 4 * 512 * kGiB);
  EXPECT_EQ(digest.finish()->hex().size(), GetParam() == DigestKind::xxh3 ? 32U : 64U);
}

INSTANTIATE_TEST_SUITE_P(Kinds, DigestTest, testing::Values(DigestKind::xxh3, DigestKind::sha256),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace blockhaul::test
