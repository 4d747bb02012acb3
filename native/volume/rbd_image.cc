#include "volume/rbd_image.h"

#include "volume/rbd_task.h"

namespace blockhaul {

std::string RbdOpenOptions::path() const {
  std::string text = RbdPlace::path() + "/" + image;
  if (snapshot) text += "@" + *snapshot;
  return text;
}

RbdImage::~RbdImage() {
  if (image_ != nullptr) librbd().rbd_close(image_);
}

Result<std::unique_ptr<RbdImage>> RbdImage::open(const RbdOpenOptions& options) {
  using Opened = std::unique_ptr<RbdImage>;
  if (options.snapshot && options.writable) {
    return Error::from_errno(EROFS, Operation::open, "a snapshot is never written to");
  }
  auto librbd = Librbd::load();
  if (!librbd) return librbd.error();
  auto opening = RbdOpening::prepare(options);
  if (!opening) return opening.error();
  auto cluster = RadosCluster::connect(*librbd.value(), options.connection);
  if (!cluster) return cluster.error();

  const std::chrono::seconds patience = cluster.value()->patience();
  auto opened = call_within<Opened>(
      patience,
      [opening = opening.value(), cluster = cluster.value()]() mutable {
        return opening.run(std::move(cluster));
      },
      [opening = opening.value()](Result<Opened> late) {
        if (late) opening.undo(std::move(late.value()));
      });
  RadosHandle::reached(RadosHandle::Stage::opened);
  if (opened) return std::move(*opened);
  return rbd_unanswered(patience);
}

}  // namespace blockhaul
