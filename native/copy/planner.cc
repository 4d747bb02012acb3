#include "copy/planner.h"

#include <algorithm>

#include "core/units.h"

namespace blockhaul {

Planner::Planner(ExtentAhead& extents, std::uint64_t begin, std::uint64_t end,
                 std::uint64_t request_size, std::uint64_t longest_zero)
    : extents_(extents),
      end_(end),
      request_size_(request_size),
      longest_zero_(longest_zero),
      position_(begin) {}

Planner::Answer Planner::next(Piece& piece) {
  const std::lock_guard lock(mutex_);
  if (position_ >= end_) return Answer::end;
  while (!drop_what_is_done()) {
    if (!refill()) return Answer::not_yet;
  }
  piece.offset = position_;
  const std::uint64_t zero_end = whole_zero_end();
  piece.is_data = zero_end <= position_;
  if (piece.is_data) {
    piece.length = data_end() - position_;
  } else {
    piece.length = std::min(zero_end - position_, longest_zero_);
  }
  position_ = piece.end();
  return Answer::piece;
}

/// False where no extent is known that reaches beyond position_.
bool Planner::drop_what_is_done() {
  while (!known_.empty() && known_.front().end() <= position_) known_.pop_front();
  return !known_.empty();
}

/// True where that made more known.
bool Planner::refill() {
  const std::size_t before = known_.size();
  extents_.take(known_);
  return known_.size() > before;
}

/// Where the whole leaves of zeros end that begin at position_; position_ itself where none does.
std::uint64_t Planner::whole_zero_end() const {
  const Extent& first = known_.front();
  if (first.kind == ExtentKind::data) return position_;
  std::uint64_t end = first.end();
  for (std::size_t i = 1; i < known_.size() && known_[i].kind != ExtentKind::data; ++i)
    end = known_[i].end();
  return end >= end_ ? end_ : align_down(end, kLeaf);
}

/// Where the data piece ends that begins at position_: at the request's boundary, or before the
/// first whole leaf of zeros that is known by now.
std::uint64_t Planner::data_end() {
  const std::uint64_t limit = std::min(align_down(position_, request_size_) + request_size_, end_);
  std::uint64_t end = std::min(align_up(position_ + 1, kLeaf), limit);
  for (std::size_t i = 0; end < limit; ++i) {
    if (i == known_.size() && !refill()) break;
    const Extent& extent = known_[i];
    if (extent.offset >= limit) break;
    if (extent.kind != ExtentKind::data) continue;
    if (align_down(extent.offset, kLeaf) > end) break;
    end = std::max(end, std::min(align_up(extent.end(), kLeaf), limit));
  }
  return end;
}

}  // namespace blockhaul
