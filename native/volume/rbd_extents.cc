#include "volume/rbd_extents.h"

#include <algorithm>

#include "core/units.h"

namespace blockhaul {
namespace {

/// Objects that the first query looks at finely, so that a copy can begin at once; each later one
/// looks at twice as many, up to some 0.1 s.
constexpr std::uint64_t kFirstFineObjects = 32;
constexpr std::uint64_t kFineObjects = 1024;
/// Units that one query of the object map looks at: 256 GiB of 4 MiB objects. Old releases load the
/// whole object map for each query, so that many short ones would take time quadratic in the
/// image's size.
constexpr std::uint64_t kMappedUnits = 65536;
/// Extents that one query gathers.
constexpr std::size_t kMostExtents = 4096;

/// Before 16, each query on a clone walked all of its parent.
constexpr int kFirstMinorWithRangedParents = 16;

/// Notices that somebody called interrupt().
struct Interruption {
  const std::atomic<unsigned>& interrupts;
  unsigned expected;

  [[nodiscard]] bool came() const { return interrupts.load(std::memory_order_relaxed) != expected; }
};

/// What a fine query leaves behind. librbd calls back on the thread that asked, period by period,
/// but within a period in an order of its own. Once refused, it may still bring what is under way.
struct Listing {
  Interruption interruption;
  std::vector<Extent> data{};
  bool full = false;
  std::uint64_t refused_at = 0;

  static int add(std::uint64_t offset, std::size_t length, int exists, void* context) noexcept {
    Listing& listing = *static_cast<Listing*>(context);
    if (listing.interruption.came()) return -ECANCELED;
    if (listing.full) return -ENOBUFS;
    if (exists == 0) return 0;  // discarded, where a parent or a snapshot has data: reads as zero
    if (listing.data.size() >= kMostExtents) {
      listing.full = true;
      listing.refused_at = offset;
      return -ENOBUFS;
    }
    append_extent(listing.data, {offset, length, ExtentKind::data});
    return 0;
  }
};

/// What a query of the object map leaves behind.
struct Marks {
  Interruption interruption;
  std::uint64_t begin;
  std::uint64_t unit;
  std::vector<bool> exists;

  static int add(std::uint64_t offset, std::size_t length, int exists, void* context) noexcept {
    Marks& marks = *static_cast<Marks*>(context);
    if (marks.interruption.came()) return -ECANCELED;
    if (exists == 0 || length == 0) return 0;
    if (offset < marks.begin) return -ERANGE;
    const std::uint64_t first = (offset - marks.begin) / marks.unit;
    const std::uint64_t last = (offset + length - 1 - marks.begin) / marks.unit;
    if (last >= marks.exists.size()) return -ERANGE;
    for (std::uint64_t unit = first; unit <= last; ++unit) marks.exists[unit] = true;
    return 0;
  }
};

Error map_error(int result) { return Error::from_errno(-result, Operation::map); }

}  // namespace

RbdExtents::RbdExtents(const Librbd& librbd, rbd_image_t image, const RbdFacts& facts)
    : librbd_(librbd), image_(image), facts_(facts), fine_objects_(kFirstFineObjects) {}

bool RbdExtents::usable() const {
  return !facts_.has_parent || librbd_.major > 1 || librbd_.minor >= kFirstMinorWithRangedParents;
}

Result<std::vector<Extent>> RbdExtents::query(std::uint64_t offset, std::uint64_t length) {
  const unsigned interrupts = interrupts_.load(std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  if (offset != whole_.next || offset >= whole_.end) {
    if (Status refreshed = refresh_whole(offset, interrupts); !refreshed) return refreshed.error();
  }
  const std::uint64_t end = std::min(offset + length, whole_.end);

  std::vector<Extent> data;
  std::uint64_t position = offset;
  if (whole_.exists.empty()) {
    const std::uint64_t begin = position - position % facts_.period();
    const std::uint64_t units = std::max<std::uint64_t>(fine_objects_ / facts_.stripe_count, 1);
    fine_objects_ = std::min(2 * fine_objects_, kFineObjects);
    auto looked = fine(begin, std::min(period_after(begin, units), whole_.end), interrupts);
    if (!looked) return looked.error();
    data = std::move(looked.value().data);
    position = std::min(looked.value().end, end);
  } else {
    while (position < end && data.size() < kMostExtents) {
      const std::uint64_t begin = std::min(next_unit(position, true), end);
      position = std::min(next_unit(begin, false), end);
      append_extent(data, {begin, position - begin, ExtentKind::data});
    }
  }
  whole_.next = position;
  return cover_range(data, offset, position - offset, ExtentKind::hole);
}

bool RbdExtents::object_map_is_valid() const {
  std::uint64_t features = 0;
  std::uint64_t flags = 0;
  if (librbd_.rbd_get_features(image_, &features) < 0) return false;
  if (librbd_.rbd_get_flags(image_, &flags) < 0) return false;
  constexpr std::uint64_t kNeeded = RBD_FEATURE_OBJECT_MAP | RBD_FEATURE_FAST_DIFF;
  constexpr std::uint64_t kInvalid = RBD_FLAG_OBJECT_MAP_INVALID | RBD_FLAG_FAST_DIFF_INVALID;
  return (features & kNeeded) == kNeeded && (flags & kInvalid) == 0;
}

Status RbdExtents::refresh_whole(std::uint64_t offset, unsigned interrupts) {
  whole_ = Whole{};
  std::uint64_t overlap = 0;  // how far the parent reaches, in bytes
  const bool mapped = object_map_is_valid() && librbd_.rbd_get_overlap(image_, &overlap) >= 0;
  const std::uint64_t reached =
      mapped ? period_after(0, divide_up(overlap, facts_.period())) : facts_.size;
  if (offset < reached) {
    whole_ = Whole{.end = reached, .next = offset};
    return success();
  }
  const std::uint64_t begin = offset - offset % facts_.period();
  const std::uint64_t end = period_after(begin, kMappedUnits);
  Marks marks{.interruption = {interrupts_, interrupts},
              .begin = begin,
              .unit = facts_.period(),
              .exists = std::vector<bool>(divide_up(end - begin, facts_.period()))};
  constexpr std::uint8_t kWithoutParent = 0;
  constexpr std::uint8_t kWholeObjects = 1;
  const int result = librbd_.rbd_diff_iterate2(image_, nullptr, begin, end - begin, kWithoutParent,
                                               kWholeObjects, &Marks::add, &marks);
  if (result < 0) return map_error(result);
  whole_ = Whole{.begin = begin, .end = end, .next = offset, .exists = std::move(marks.exists)};
  return success();
}

Result<RbdExtents::Fine> RbdExtents::fine(std::uint64_t begin, std::uint64_t end,
                                          unsigned interrupts) const {
  Listing listing{.interruption = {interrupts_, interrupts}};
  constexpr std::uint8_t kWithParent = 1;
  constexpr std::uint8_t kExactly = 0;
  const int result = librbd_.rbd_diff_iterate2(image_, nullptr, begin, end - begin, kWithParent,
                                               kExactly, &Listing::add, &listing);
  if (result < 0 && !listing.full) return map_error(result);

  Fine answer{.data = std::move(listing.data), .end = end};
  if (listing.full) {
    // Only periods that were listed to their end count.
    answer.end = listing.refused_at - listing.refused_at % facts_.period();
    std::erase_if(answer.data, [&](const Extent& extent) { return extent.offset >= answer.end; });
    if (answer.end <= begin) {
      answer.end = period_after(begin, 1);
      answer.data.assign({{begin, answer.end - begin, ExtentKind::data}});
    }
  }
  std::sort(answer.data.begin(), answer.data.end(),
            [](const Extent& left, const Extent& right) { return left.offset < right.offset; });
  return answer;
}

std::uint64_t RbdExtents::next_unit(std::uint64_t position, bool with_objects) const {
  const std::uint64_t first = (position - whole_.begin) / facts_.period();
  std::uint64_t unit = first;
  while (unit < whole_.exists.size() && whole_.exists[unit] != with_objects) ++unit;
  return unit == first ? position : period_after(whole_.begin, unit);
}

/// The end of the image, or of a number of units from `position` (a multiple of the period).
std::uint64_t RbdExtents::period_after(std::uint64_t position, std::uint64_t units) const {
  const std::uint64_t left = facts_.size - position;
  return units >= left / facts_.period() + 1
             ? facts_.size
             : std::min(position + units * facts_.period(), facts_.size);
}

}  // namespace blockhaul
