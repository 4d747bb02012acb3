#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "io/unique_descriptor.h"
#include "volume/volume.h"
#include "volume/write_gate.h"

namespace blockhaul {

enum class AccessMode : std::uint8_t { read, write };

/// What a path must be for an open to succeed.
enum class PathKind : std::uint8_t { any, file, block };

struct PosixOpenOptions {
  std::string path;
  /// Where it is opened, and no link there followed: `path` is then only what it is called.
  std::optional<std::string> at{};
  AccessMode mode = AccessMode::read;
  PathKind kind = PathKind::any;
  /// Make a new, sparse image file of this many bytes; fails with EEXIST where the path exists.
  std::optional<std::uint64_t> create_size{};
  /// Of an image file: a new one takes all of its space from the start, and zeros are made without
  /// giving any back. ENOTSUP where the file system cannot reserve space.
  bool thick = false;
  /// The caller knows that every byte of the device reads as zero: it has just made the device.
  /// Only of block devices, opened to be written; of a file, the open sees for itself.
  bool proven_zero = false;
  /// Claim a block device also to read from it; who writes to one does so anyway.
  bool exclusive = false;
  /// Do not claim it even to write: somebody else has, and that is known.
  bool shared = false;
  /// Try O_DIRECT first. A file system that refuses it is used through the page cache.
  bool direct = true;
};

/// What an open has found out about an inode, and opened of it.
struct PosixInode {
  VolumeInfo info;
  bool is_block = false;
  bool thick = false;                  ///< no zero gives space back
  std::uint32_t memory_alignment = 1;  ///< bytes, of the direct descriptor; 1 where there is none
  std::uint32_t offset_alignment = 1;
  UniqueDescriptor direct;  ///< may be missing
  UniqueDescriptor buffered;
};

/// An image file or a block device.
///
/// Aligned requests go through a descriptor opened with O_DIRECT. What is not aligned (an image's
/// last bytes, a caller's odd offsets) goes, of a file, through a second, buffered descriptor of
/// the same inode: the kernel keeps the two coherent, as long as no write of one kind goes on
/// beside one of the other. Of a block device, it goes through whole blocks in memory (Bounce). A
/// WriteGate keeps the ways apart.
///
/// A zero request climbs down a ladder whose refused steps are remembered for the volume:
///
///     file:  PUNCH_HOLE ──► ZERO_RANGE ──► ENOTSUP (the engine writes zeros)
///     thick file:           ZERO_RANGE ──► ENOTSUP
///     block: PUNCH_HOLE (the device's own write-zeroes or a zeroing unmap) ──► ZERO_RANGE ──►
///     ENOTSUP
///
/// BLKDISCARD is no step: a discarded block may read as anything.
class PosixVolume final : public Volume {
 public:
  static Result<std::unique_ptr<PosixVolume>> open(const PosixOpenOptions& options);
  /// The end of open(): a volume around what is open already. A simulation's descriptors are
  /// numbers that the kernel does not know; only its reactors do.
  explicit PosixVolume(PosixInode inode);

  [[nodiscard]] const VolumeInfo& info() const override { return info_; }
  void submit(Reactor& reactor, Request& request) override;
  Result<std::vector<Extent>> map(std::uint64_t offset, std::uint64_t length) override;
  [[nodiscard]] Writers writers() const override;
  Result<UniqueDescriptor> open_again(bool to_write) override;

 private:
  static void file_done(FileOperation& operation, std::int64_t result) noexcept;
  void advance(Request& request);
  static void resume(Task& task) noexcept;
  [[nodiscard]] bool is_gated(const Request& request) const;
  void transferred(Request& request, std::int64_t result);
  [[nodiscard]] bool can_bounce() const;
  void start_bounce(Request& request);
  static void aim_bounce(Request& request);
  void bounced(Request& request, std::int64_t result);
  void end_bounce(Request& request);
  void advance_zero(Request& request);
  void zeroed(Request& request, std::int64_t result);
  void advance_flush(Request& request);
  void flushed(Request& request, int error);
  [[nodiscard]] bool still_zero() const override;

  const VolumeInfo info_;
  const bool is_block_;
  const std::uint32_t memory_alignment_;
  const std::uint32_t offset_alignment_;
  const UniqueDescriptor direct_;
  const UniqueDescriptor buffered_;
  std::atomic<bool> direct_refused_{false};
  std::atomic<int> flush_error_{0};  ///< the first; a positive errno
  WriteGate gate_;                   ///< of writes, where there are several ways
  std::atomic<unsigned> zero_step_;  ///< the first step of the ladder that was not refused
};

}  // namespace blockhaul
