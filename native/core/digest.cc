#include "core/digest.h"

#include <cassert>

// The low-level SHA-256 of OpenSSL is declared deprecated in favour of EVP, which would pull the
// whole provider machinery into the addon for one hash.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "core/units.h"
#include "core/xxh3.h"

namespace blockhaul {
namespace {

DigestValue from_xxh3(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  DigestValue value;
  value.length = sizeof canonical.digest;
  std::memcpy(value.bytes.data(), canonical.digest, sizeof canonical.digest);
  return value;
}

}  // namespace

std::string_view name_of(DigestKind kind) {
  switch (kind) {
    case DigestKind::none:
      return "none";
    case DigestKind::xxh3:
      return "xxh3";
    case DigestKind::sha256:
      return "sha256";
  }
  return "none";
}

std::string DigestValue::hex() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(std::size_t{2} * length);
  for (std::byte byte : view()) {
    text.push_back(kDigits[std::to_integer<unsigned>(byte) >> 4]);
    text.push_back(kDigits[std::to_integer<unsigned>(byte) & 15]);
  }
  return text;
}

void append_run(std::vector<ChunkRun>& runs, const ChunkRun& run) {
  if (run.count == 0) return;
  if (!runs.empty() && runs.back().value == run.value) {
    runs.back().count += run.count;
  } else {
    runs.push_back(run);
  }
}

DigestValue digest_bytes(DigestKind kind, std::span<const std::byte> bytes) {
  assert(kind != DigestKind::none);
  DigestValue value;
  if (kind == DigestKind::xxh3) {
    const Xxh3Value hash = xxh3_128(bytes);
    value.length = hash.size();
    std::copy(hash.begin(), hash.end(), value.bytes.begin());
    return value;
  }
  value.length = SHA256_DIGEST_LENGTH;
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  SHA256_Final(reinterpret_cast<unsigned char*>(value.bytes.data()), &context);
  return value;
}

/// H over bytes that come piece by piece.
struct VolumeDigest::Stream {
  explicit Stream(DigestKind digest_kind) : kind(digest_kind) {
    if (kind == DigestKind::xxh3) {
      XXH3_128bits_reset(&xxh3);
    } else {
      SHA256_Init(&sha256);
    }
  }
  void update(std::span<const std::byte> bytes) {
    if (kind == DigestKind::xxh3) {
      XXH3_128bits_update(&xxh3, bytes.data(), bytes.size());
    } else {
      SHA256_Update(&sha256, bytes.data(), bytes.size());
    }
  }
  DigestValue finish() {
    if (kind == DigestKind::xxh3) return from_xxh3(XXH3_128bits_digest(&xxh3));
    DigestValue value;
    value.length = SHA256_DIGEST_LENGTH;
    SHA256_Final(reinterpret_cast<unsigned char*>(value.bytes.data()), &sha256);
    return value;
  }

  DigestKind kind;
  XXH3_state_t xxh3{};
  SHA256_CTX sha256{};
};

VolumeDigest::VolumeDigest(DigestKind kind, std::uint64_t size, std::uint64_t begin)
    : kind_(kind),
      size_(size),
      leaf_count_(divide_up(size, kLeaf)),
      chunk_count_(divide_up(size, kChunk)),
      next_(divide_up(begin, kChunk)),
      stream_(std::make_unique<Stream>(kind)) {
  const std::vector<std::byte> zeros(kLeaf);
  zero_leaf_ = digest_bytes(kind, zeros);
  std::vector<std::byte> leaves;
  for (std::uint64_t i = 0; i < kChunk / kLeaf; ++i) {
    const auto view = zero_leaf_.view();
    leaves.insert(leaves.end(), view.begin(), view.end());
  }
  zero_chunk_ = digest_bytes(kind, leaves);
  std::array<std::byte, 8> little_endian{};
  for (std::size_t i = 0; i < little_endian.size(); ++i) {
    little_endian[i] = static_cast<std::byte>(size >> (8 * i));
  }
  stream_->update(little_endian);
}

VolumeDigest::~VolumeDigest() = default;

std::uint64_t VolumeDigest::leaves_in_chunk(std::uint64_t chunk) const {
  const std::uint64_t per_chunk = kChunk / kLeaf;
  return std::min(per_chunk, leaf_count_ - chunk * per_chunk);
}

void VolumeDigest::add_leaf(std::uint64_t leaf_index, const DigestValue& value) {
  assert(leaf_index < leaf_count_);
  const std::uint64_t per_chunk = kChunk / kLeaf;
  const std::uint64_t chunk = leaf_index / per_chunk;
  const std::size_t length = value_length(kind_);
  OpenChunk& open = open_[chunk];
  if (open.leaves.empty()) {
    open.missing = leaves_in_chunk(chunk);
    open.leaves.resize(open.missing * length);
  }
  std::memcpy(open.leaves.data() + (leaf_index % per_chunk) * length, value.bytes.data(), length);
  if (--open.missing == 0) {
    const DigestValue chunk_value = digest_bytes(kind_, open.leaves);
    open_.erase(chunk);
    finish_chunks(chunk, {1, chunk_value});
  }
}

void VolumeDigest::add_zeros(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = offset + length;
  assert(offset % kLeaf == 0 && (end % kLeaf == 0 || end == size_));
  std::uint64_t position = offset;
  while (position < end) {
    if (position % kChunk == 0 && end - position >= kChunk) {
      const std::uint64_t count = (end - position) / kChunk;
      finish_chunks(position / kChunk, {count, zero_chunk_});
      position += count * kChunk;
      continue;
    }
    const std::uint64_t leaf_length = std::min(kLeaf, end - position);
    if (leaf_length == kLeaf) {
      add_leaf(position / kLeaf, zero_leaf_);
    } else {
      const std::vector<std::byte> zeros(leaf_length);
      add_leaf(position / kLeaf, digest_bytes(kind_, zeros));
    }
    position += leaf_length;
  }
}

void VolumeDigest::finish_chunks(std::uint64_t first, const ChunkRun& run) {
  if (first != next_) {
    waiting_.emplace(first, run);
    return;
  }
  hand_on(run);
  for (auto next = waiting_.begin(); next != waiting_.end() && next->first == next_;) {
    hand_on(next->second);
    next = waiting_.erase(next);
  }
}

void VolumeDigest::hand_on(const ChunkRun& run) {
  if (known_ == next_) fold(run);
  next_ += run.count;
  if (sink_) sink_(run);
}

void VolumeDigest::add_known(const ChunkRun& run) {
  assert(known_ + run.count <= next_);
  fold(run);
}

void VolumeDigest::fold(const ChunkRun& run) {
  for (std::uint64_t i = 0; i < run.count; ++i) stream_->update(run.value.view());
  known_ += run.count;
}

std::optional<DigestValue> VolumeDigest::finish() {
  assert(open_.empty() && waiting_.empty());
  if (known_ != chunk_count_) return std::nullopt;
  return stream_->finish();
}

}  // namespace blockhaul
