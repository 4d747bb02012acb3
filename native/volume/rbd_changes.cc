#include "volume/rbd_changes.h"

#include <algorithm>

#include "core/units.h"
#include "volume/rbd_task.h"

namespace blockhaul {
namespace {

/// Objects that one query looks at: some 0.1 s, so that it shows that it gets on.
constexpr std::uint64_t kObjectsAtOnce = 1024;
/// Extents, of some 16 MiB in JavaScript.
constexpr std::size_t kMostExtents = 128 * std::size_t{1024};

struct Listing {
  ChangedExtents& changes;
  /// Under a hole of a clone, its parent may show.
  ExtentKind absent;

  static int add(std::uint64_t offset, std::size_t length, int exists, void* context) noexcept {
    const Listing& listing = *static_cast<Listing*>(context);
    listing.changes.add({offset, length, exists != 0 ? ExtentKind::data : listing.absent});
    return 0;
  }
};

Result<std::vector<Extent>> ask(const RbdImage& image, Pulse& pulse, const std::string& snapshot) {
  const RbdFacts& facts = image.facts();
  ChangedExtents changes(facts.period(), facts.size, kMostExtents);
  Listing listing{.changes = changes,
                  .absent = facts.has_parent ? ExtentKind::data : ExtentKind::hole};
  const std::uint64_t step =
      facts.period() * std::max<std::uint64_t>(kObjectsAtOnce / facts.stripe_count, 1);
  constexpr std::uint8_t kWithParent = 1;
  constexpr std::uint8_t kExactly = 0;
  // From multiples of the period on: elsewhere, librbd before 16.2.8 reports offsets that are too
  // high (tracker 53784). An empty image is asked too: there may be no such snapshot.
  std::uint64_t offset = 0;
  do {
    const int result = image.librbd().rbd_diff_iterate2(
        image.get(), snapshot.c_str(), offset, std::min(step, facts.size - offset), kWithParent,
        kExactly, &Listing::add, &listing);
    if (result == -ENOENT) {
      return Error{.number = ENOENT, .message = "snapshot " + quoted(snapshot) + " does not exist"};
    }
    if (result == -EINVAL) {
      return Error{.number = EINVAL,
                   .message = "snapshot " + quoted(snapshot) + " is not the earlier one"};
    }
    if (result < 0) return image.pool().failed(result, "list what has changed");
    pulse.beat();
    offset += step;
  } while (offset < facts.size);
  return changes.sorted();
}

}  // namespace

void ChangedExtents::add(Extent extent) {
  if (extent.length == 0) return;
  if (is_wide_) extent = widened(extent);
  // A wide one may be reported once more by each object of its period.
  if (is_wide_ && !extents_.empty() && extents_.back().end() >= extent.end()) return;
  append_extent(extents_, extent);
  if (extents_.size() <= most_ || is_wide_) return;
  is_wide_ = true;
  for (Extent& one : extents_) one = widened(one);
  extents_ = sorted();
}

Extent ChangedExtents::widened(const Extent& extent) const {
  const std::uint64_t begin = extent.offset - extent.offset % period_;
  const std::uint64_t end = std::min(divide_up(extent.end(), period_) * period_, size_);
  return {begin, end - begin, ExtentKind::data};
}

std::vector<Extent> ChangedExtents::sorted() {
  std::sort(extents_.begin(), extents_.end(),
            [](const Extent& one, const Extent& other) { return one.offset < other.offset; });
  std::vector<Extent> joined;
  for (const Extent& extent : extents_) {
    const std::uint64_t end = joined.empty() ? 0 : joined.back().end();
    if (end >= extent.end()) continue;
    const std::uint64_t begin = std::max(extent.offset, end);
    append_extent(joined, {begin, extent.end() - begin, extent.kind});
  }
  return joined;
}

Result<std::vector<Extent>> changes_since(const RbdOpenOptions& options,
                                          const std::string& snapshot) {
  using Extents = std::vector<Extent>;
  return with_image<Extents>(options, [snapshot](const RbdImage& image, Pulse& pulse) {
    return ask(image, pulse, snapshot);
  });
}

}  // namespace blockhaul
