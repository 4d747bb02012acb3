#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
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

/// The length of H's values in bytes; 0 for `none`.
[[nodiscard]] constexpr std::size_t value_length(DigestKind kind) {
  return kind == DigestKind::none ? 0 : kind == DigestKind::sha256 ? 32 : 16;
}

/// Chunks in a row whose digests are equal.
struct ChunkRun {
  std::uint64_t count = 0;
  DigestValue value;
  bool operator==(const ChunkRun&) const = default;
};

/// Adds a run behind the last one, joined to it where the digests are equal.
void append_run(std::vector<ChunkRun>& runs, const ChunkRun& run);

/// H of a span in one go. `kind` is not `none`.
[[nodiscard]] DigestValue digest_bytes(DigestKind kind, std::span<const std::byte> bytes);

/// Puts a volume's digest together from its leaves, which may come in any order. What it keeps is
/// bounded by the chunks that are open at once, not by the volume. One thread at a time.
class VolumeDigest {
 public:
  /// Called with each run of finished chunks, in the order of the volume.
  using ChunkSink = std::function<void(const ChunkRun&)>;

  /// `kind` is not `none`; `size` is the volume's, in bytes. Leaves come from `begin` on, a
  /// multiple of kChunk, or the size.
  VolumeDigest(DigestKind kind, std::uint64_t size, std::uint64_t begin = 0);
  ~VolumeDigest();
  VolumeDigest(const VolumeDigest&) = delete;
  VolumeDigest& operator=(const VolumeDigest&) = delete;

  /// Chunks before `begin` that an earlier run has finished, in order; before any leaf.
  void add_known(const ChunkRun& run);
  void set_sink(ChunkSink sink) { sink_ = std::move(sink); }

  /// Notes one leaf; each leaf comes exactly once.
  void add_leaf(std::uint64_t leaf_index, const DigestValue& value);
  /// Notes that [offset, offset + length) is all zero, without a look at it. `offset` is a multiple
  /// of the leaf; so is the end, unless it is the volume's.
  void add_zeros(std::uint64_t offset, std::uint64_t length);

  /// The digest of a leaf of zeros.
  [[nodiscard]] const DigestValue& zero_leaf() const { return zero_leaf_; }
  [[nodiscard]] DigestKind kind() const { return kind_; }

  /// The volume's digest, once every leaf was noted; call it once. Nothing where leaves began
  /// behind the volume's start and what is before is not known, or where they ended before its end.
  [[nodiscard]] std::optional<DigestValue> finish();

 private:
  struct Stream;
  struct OpenChunk {
    std::vector<std::byte> leaves;
    std::uint64_t missing = 0;
  };
  [[nodiscard]] std::uint64_t leaves_in_chunk(std::uint64_t chunk) const;
  void finish_chunks(std::uint64_t first, const ChunkRun& run);
  void fold(const ChunkRun& run);
  void hand_on(const ChunkRun& run);

  DigestKind kind_;
  std::uint64_t size_;
  std::uint64_t leaf_count_;
  std::uint64_t chunk_count_;
  DigestValue zero_leaf_;
  DigestValue zero_chunk_;
  std::map<std::uint64_t, OpenChunk> open_;
  std::map<std::uint64_t, ChunkRun> waiting_;  ///< for those before them
  std::uint64_t known_ = 0;  ///< chunks from the start whose digests are in the stream
  std::uint64_t next_;       ///< the chunk that is handed on next
  ChunkSink sink_;
  std::unique_ptr<Stream> stream_;
};

}  // namespace blockhaul
