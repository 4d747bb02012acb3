#pragma once

#include <cstdint>
#include <deque>
#include <mutex>

#include "copy/extent_ahead.h"

namespace blockhaul {

/// A part of the volume that is moved in one go. It begins at a multiple of kLeaf and ends at one,
/// or at the volume's end, as the range that is cut does.
struct Piece {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool is_data = true;  ///< false: the source was mapped as zero there

  [[nodiscard]] std::uint64_t end() const { return offset + length; }
};

/// Cuts the source's extents into pieces, in ascending order. Extents do not end where leaves end:
/// a leaf that holds any data is data as a whole. A data piece lies within one request-sized,
/// request-aligned part of the volume; a zero piece ends after `longest_zero` bytes. Any thread may
/// call next().
class Planner {
 public:
  enum class Answer : std::uint8_t { piece, not_yet, end };

  /// `request_size` is a power of two; `longest_zero` a multiple of kLeaf.
  /// Of the bytes from `begin`, a multiple of kLeaf, to `end`, another or the volume's.
  Planner(ExtentAhead& extents, std::uint64_t begin, std::uint64_t end, std::uint64_t request_size,
          std::uint64_t longest_zero);

  /// `not_yet`: extents are still being asked for; ExtentAhead says when there are more.
  Answer next(Piece& piece);

 private:
  bool drop_what_is_done();
  bool refill();
  [[nodiscard]] std::uint64_t whole_zero_end() const;
  [[nodiscard]] std::uint64_t data_end();

  ExtentAhead& extents_;
  const std::uint64_t end_;
  const std::uint64_t request_size_;
  const std::uint64_t longest_zero_;

  std::mutex mutex_;
  // Guarded by mutex_:
  std::deque<Extent> known_;  ///< the first one reaches beyond position_
  std::uint64_t position_;    ///< all before it was given out; a multiple of kLeaf, or end_
};

}  // namespace blockhaul
