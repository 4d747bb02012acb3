#pragma once

#include <string>
#include <vector>

#include "core/extent.h"
#include "volume/rbd_image.h"

namespace blockhaul {

/// What may have changed in an image, or up to a later snapshot of it, since a snapshot: ascending;
/// the kind says what is there now. What no extent names is as it was then, or zero where the image
/// became larger. Blocks; for how long at the most, on_cluster() says.
///
/// librbd is asked object by object. Its object maps would answer sooner, but one that is invalid
/// for any snapshot in between makes an answer that lacks changes (see also RbdExtents).
[[nodiscard]] Result<std::vector<Extent>> changes_since(const RbdOpenOptions& options,
                                                        const std::string& snapshot);

/// Gathers what librbd reports, in whatever order, and keeps it short: from some number of extents
/// on, they are widened to whole periods.
class ChangedExtents {
 public:
  /// @param period bytes; reports of different periods come in ascending order
  /// @param size of the volume
  ChangedExtents(std::uint64_t period, std::uint64_t size, std::size_t most)
      : period_(period), size_(size), most_(most) {}

  void add(Extent extent);
  /// Ascending, without overlaps, neighbours of one kind joined.
  [[nodiscard]] std::vector<Extent> sorted();

 private:
  [[nodiscard]] Extent widened(const Extent& extent) const;

  std::uint64_t period_;
  std::uint64_t size_;
  std::size_t most_;
  bool is_wide_ = false;
  std::vector<Extent> extents_;
};

}  // namespace blockhaul
