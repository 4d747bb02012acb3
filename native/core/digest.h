#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace blockhaul {

/// A volume's digest is a tree, so that its parts can be taken in any order and by any thread:
///
///     leaf digest   = H(64 KiB of the volume)               the last leaf may be shorter
///     chunk digest  = H(the leaf digests of 4 MiB)
///     volume digest = H(size as 8 bytes, little endian, then all chunk digests)
///
/// It depends on the volume's size and bytes alone, never on request sizes or on what was a hole.
enum class DigestKind : std::uint8_t { none, xxh3, sha256 };

[[nodiscard]] std::string_view name_of(DigestKind kind);

/// The value of H: 16 bytes for XXH3-128 (canonical, big endian), 32 for SHA-256.
struct DigestValue {
  std::array<std::byte, 32> bytes{};
  std::uint8_t length = 0;

  [[nodiscard]] std::span<const std::byte> view() const { return {bytes.data(), length}; }
  [[nodiscard]] std::string hex() const;
  bool operator==(const DigestValue&) const = default;
};

/// H of a span in one go. `kind` is not `none`.
[[nodiscard]] DigestValue digest_bytes(DigestKind kind, std::span<const std::byte> bytes);

/// Puts a volume's digest together from its leaves, which may come in any order. What it keeps is
/// bounded by the chunks that are open at once, not by the volume. One thread at a time.
class VolumeDigest {
 public:
  /// `kind` is not `none`; `size` is the volume's, in bytes.
  VolumeDigest(DigestKind kind, std::uint64_t size);
  ~VolumeDigest();
  VolumeDigest(const VolumeDigest&) = delete;
  VolumeDigest& operator=(const VolumeDigest&) = delete;

  /// Notes one leaf; each leaf comes exactly once.
  void add_leaf(std::uint64_t leaf_index, const DigestValue& value);
  /// Notes that [offset, offset + length) is all zero, without a look at it. `offset` is a multiple
  /// of the leaf; so is the end, unless it is the volume's.
  void add_zeros(std::uint64_t offset, std::uint64_t length);

  /// The digest of a leaf of zeros.
  [[nodiscard]] const DigestValue& zero_leaf() const { return zero_leaf_; }
  [[nodiscard]] DigestKind kind() const { return kind_; }

  /// The volume's digest, once every leaf was noted; call it once.
  [[nodiscard]] DigestValue finish();

 private:
  struct Stream;
  struct OpenChunk {
    std::vector<std::byte> leaves;
    std::uint64_t missing = 0;
  };
  /// Finished chunks that wait for those before them: `count` chunks of equal digest from an index.
  struct WaitingRun {
    std::uint64_t count = 0;
    DigestValue value;
  };

  [[nodiscard]] std::uint64_t leaves_in_chunk(std::uint64_t chunk) const;
  void finish_chunks(std::uint64_t first, std::uint64_t count, const DigestValue& value);
  void fold(std::uint64_t count, const DigestValue& value);

  DigestKind kind_;
  std::uint64_t size_;
  std::uint64_t leaf_count_;
  std::uint64_t chunk_count_;
  DigestValue zero_leaf_;
  DigestValue zero_chunk_;
  std::map<std::uint64_t, OpenChunk> open_;
  std::map<std::uint64_t, WaitingRun> waiting_;
  std::uint64_t folded_ = 0;  ///< chunks whose digests are in the stream
  std::unique_ptr<Stream> stream_;
};

}  // namespace blockhaul
