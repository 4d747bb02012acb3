#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "core/extent.h"
#include "core/result.h"
#include "volume/rbd_facts.h"

namespace blockhaul {

/// Asks librbd which parts of an image hold data, in one of two ways:
///
///     whole objects: which exist, for a long stretch at once, out of the object map
///
///     finely: how far each object was written; one small request for each
///
/// Where the object map is valid it decides. To ask how far an object was written saves nothing: an
/// OSD sends nothing from behind an object's end, asked or not, and few send holes; and of
/// scattered data, a request for each object is most of the work. Queries begin at multiples of the
/// period: elsewhere librbd before 16.2.8 reports offsets that are too high (tracker 53784).
///
/// The object map leaves a clone's parent alone: librbd before 16.2.8 forgets it there (53787),
/// and before 16.2.15 aborts the process where an object of it was discarded after a snapshot
/// (63654). As far as the parent reaches, everything is looked at finely.
class RbdExtents {
 public:
  RbdExtents(const Librbd& librbd, rbd_image_t image, const RbdFacts& facts);

  /// False: this librbd's answers for this image are too dear.
  [[nodiscard]] bool usable() const;

  /// See Volume::map; the range lies within the image. One query at a time; others wait.
  Result<std::vector<Extent>> query(std::uint64_t offset, std::uint64_t length);

  /// Makes a query that is under way fail with ECANCELED.
  void interrupt() { interrupts_.fetch_add(1, std::memory_order_relaxed); }

 private:
  /// Which units (one period each) from `begin` on have objects; empty where that is not known, and
  /// everything as far as `end` is to be looked at finely. It serves one walk along the
  /// volume: a query that begins elsewhere than at `next` asks anew, since others may have written
  /// since.
  struct Whole {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t next = 0;
    std::vector<bool> exists{};
  };
  struct Fine {
    std::vector<Extent> data{};  ///< ascending
    std::uint64_t end = 0;       ///< what lies before it was looked at
  };

  [[nodiscard]] bool object_map_is_valid() const;
  Status refresh_whole(std::uint64_t offset, unsigned interrupts);
  Result<Fine> fine(std::uint64_t begin, std::uint64_t end, unsigned interrupts) const;
  /// The first unit from that of `position` on that has objects, or has none.
  [[nodiscard]] std::uint64_t next_unit(std::uint64_t position, bool with_objects) const;
  [[nodiscard]] std::uint64_t period_after(std::uint64_t position, std::uint64_t units) const;

  const Librbd& librbd_;
  rbd_image_t image_;
  const RbdFacts& facts_;
  std::atomic<unsigned> interrupts_{0};
  std::mutex mutex_;
  // Guarded by mutex_:
  Whole whole_;
  std::uint64_t fine_objects_;  ///< that the next query may look at
};

}  // namespace blockhaul
