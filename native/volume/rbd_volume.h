#pragma once

#include <memory>

#include "volume/rbd_extents.h"
#include "volume/rbd_image.h"
#include "volume/volume.h"

namespace blockhaul {

/// An RBD image, or a snapshot of one, through librbd.
///
///     submit() ──► rbd_aio_…() ──► librbd's threads ──► completed() ──► Reactor::post() ──►
///     on_done
///
/// RBD has no sectors: any byte range may be read or written, so the block size is 1. What is cheap
/// is to stay within an object; the preferred size says so. Requests are cut at multiples of 1 GiB,
/// since librbd would break one up into all of its objects at once.
///
/// Written data is on stable storage when a write completes, unless a cache is on; a flush covers
/// both.
///
/// Destroying a volume blocks: not on a reactor's thread, and not before each request is done.
class RbdVolume final : public Volume {
 public:
  /// Blocks; for how long at the most, RbdImage::open() says. An image that this made is proven
  /// zero.
  static Result<std::unique_ptr<RbdVolume>> open(const RbdOpenOptions& options);

  [[nodiscard]] const VolumeInfo& info() const override { return info_; }
  void submit(Reactor& reactor, Request& request) override;
  Result<std::vector<Extent>> map(std::uint64_t offset, std::uint64_t length) override;
  Result<std::optional<std::vector<Watcher>>> watchers() override;
  void interrupt() override { extents_.interrupt(); }
  /// Looks for objects: in the object map, where there is a valid one; else one small request each.
  [[nodiscard]] bool confirm_zero(const std::atomic<bool>& stop) override;

 private:
  RbdVolume(std::unique_ptr<RbdImage> image, const RbdOpenOptions& options);
  static void completed(rbd_completion_t completion, void* context) noexcept;
  void advance(Request& request);
  [[nodiscard]] int start(Request& request, rbd_completion_t completion);
  void advanced(Request& request, std::int64_t result);
  void fail(Request& request, int error);

  std::shared_ptr<RbdImage> image_;  ///< shared with questions that the cluster does not answer
  const Librbd& librbd_;
  VolumeInfo info_;
  RbdExtents extents_;
};

}  // namespace blockhaul
