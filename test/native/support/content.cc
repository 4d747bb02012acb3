#include "support/content.h"

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "core/units.h"

namespace blockhaul::test {
namespace {

using Hash = std::string;  // binary

constexpr std::uint64_t kNoByteZero = 0x0101010101010101U;

Hash hash_of(DigestKind kind, const void* data, std::size_t size) {
  if (kind == DigestKind::sha256) {
    Hash hash(SHA256_DIGEST_LENGTH, '\0');
    SHA256(static_cast<const unsigned char*>(data), size,
           reinterpret_cast<unsigned char*>(hash.data()));
    return hash;
  }
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, size));
  return {reinterpret_cast<const char*>(canonical.digest), sizeof canonical.digest};
}

std::string hex(const Hash& hash) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char byte : hash) {
    text += kDigits[static_cast<unsigned char>(byte) / 16];
    text += kDigits[static_cast<unsigned char>(byte) % 16];
  }
  return text;
}

Hash chunk_hash(DigestKind kind, const std::byte* data, std::size_t size) {
  constexpr std::size_t kLeafSize = 65536;
  std::string leaves;
  for (std::size_t leaf = 0; leaf < size; leaf += kLeafSize)
    leaves += hash_of(kind, data + leaf, std::min(kLeafSize, size - leaf));
  return hash_of(kind, leaves.data(), leaves.size());
}

/// Made once: tests want many times more bytes than a generator gives in their time.
const Bytes& noise_table() {
  static const Bytes table = [] {
    std::mt19937_64 random(1);
    Bytes bytes(kMiB + 4096);
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
      // Each byte gets its lowest bit: none is zero.
      const std::uint64_t word = random() | kNoByteZero;
      std::memcpy(bytes.data() + at, &word, sizeof word);
    }
    return bytes;
  }();
  return table;
}

}  // namespace

Bytes random_bytes(std::size_t size, std::uint64_t seed) {
  constexpr std::size_t kBlock = 4096;
  std::mt19937_64 random(seed);
  Bytes bytes(size);
  for (std::size_t at = 0; at < size; at += kBlock) {
    const std::size_t length = std::min(kBlock, size - at);
    std::memcpy(bytes.data() + at, noise_table().data() + random() % kMiB, length);
    // A mark of its own: no two blocks are alike.
    const std::uint64_t mark = random() | kNoByteZero;
    std::memcpy(bytes.data() + at, &mark, std::min(sizeof mark, length));
  }
  return bytes;
}

Content content_of(std::size_t size, const std::vector<Extent>& named, std::uint64_t seed) {
  Content content;
  content.bytes.resize(size);
  content.extents = cover_range(named, 0, size, ExtentKind::hole);
  const Bytes data = random_bytes(size, seed);
  for (const Extent& extent : content.extents) {
    if (extent.kind != ExtentKind::data) continue;
    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(extent.offset), extent.length,
                content.bytes.begin() + static_cast<std::ptrdiff_t>(extent.offset));
  }
  return content;
}

Content alternating(std::size_t size, std::size_t period, std::uint64_t seed) {
  std::vector<Extent> named;
  for (std::size_t at = 0; at < size; at += 2 * period)
    named.push_back({at, std::min(period, size - at), ExtentKind::data});
  return content_of(size, named, seed);
}

Content random_content(std::size_t size, std::mt19937_64& random) {
  std::vector<Extent> named;
  const std::uint64_t longest = 1 + random() % (size + 1);
  for (std::uint64_t at = 0; at < size;) {
    std::uint64_t length = 1 + random() % longest;
    const std::uint64_t unit = std::uint64_t{1} << (random() % 19);  // 1 byte to 256 KiB
    length = std::min((length + unit - 1) / unit * unit, size - at);
    named.push_back({at, length, static_cast<ExtentKind>(random() % 3)});
    at += length;
  }
  Content content = content_of(size, named, random());
  const std::uint64_t stretches = size == 0 ? 0 : random() % 4;
  for (std::uint64_t i = 0; i < stretches; ++i) {
    const std::uint64_t from = random() % size;
    const std::uint64_t length = std::min<std::uint64_t>(1 + random() % 300'000, size - from);
    std::fill_n(content.bytes.begin() + static_cast<std::ptrdiff_t>(from), length, std::byte{});
  }
  return content;
}

std::string difference(const Bytes& expected, const Bytes& actual) {
  if (expected == actual) return {};
  const auto [one, other] =
      std::mismatch(expected.begin(), expected.end(), actual.begin(), actual.end());
  return "they differ from byte " + std::to_string(one - expected.begin()) + " on; sizes " +
         std::to_string(expected.size()) + " and " + std::to_string(actual.size());
}

std::string reference_chunk_digest(DigestKind kind, const Bytes& chunk) {
  return hex(chunk_hash(kind, chunk.data(), chunk.size()));
}

std::string reference_digest(DigestKind kind, const Bytes& bytes) {
  constexpr std::size_t kChunkSize = 4194304;
  std::string top(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) top[i] = static_cast<char>(bytes.size() >> (8 * i));
  for (std::size_t chunk = 0; chunk < bytes.size(); chunk += kChunkSize)
    top += chunk_hash(kind, bytes.data() + chunk, std::min(kChunkSize, bytes.size() - chunk));
  return hex(hash_of(kind, top.data(), top.size()));
}

}  // namespace blockhaul::test
