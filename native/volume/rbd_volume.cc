#include "volume/rbd_volume.h"

#include <algorithm>

#include "core/units.h"
#include "volume/rbd_watchers.h"

namespace blockhaul {
namespace {

/// The end of what is asked of librbd in one go, from `position` on. It is a multiple of any object
/// size, so that no object is touched by two calls.
std::uint64_t end_of_piece(std::uint64_t position, std::uint64_t end) {
  return std::min(end, align_down(position, kGiB) + kGiB);
}

std::string identity_of(const RbdImage& image, const std::string& name_space) {
  const RbdFacts& facts = image.facts();
  std::string identity =
      "rbd:" + image.cluster().fsid() + "/" + std::to_string(facts.pool_id) + "/";
  if (!name_space.empty()) identity += name_space + "/";
  identity += facts.id;
  if (facts.snapshot_id) identity += "@" + std::to_string(*facts.snapshot_id);
  return identity;
}

/// Requests within an object go to one place each. With striping, an object's bytes lie scattered
/// over its period, and only a stripe unit is whole; small units are not worth small requests.
std::uint64_t preferred_size_of(const RbdFacts& facts) {
  if (facts.stripe_count <= 1) return facts.object_size;
  return facts.stripe_unit >= kLeaf ? facts.stripe_unit : 0;
}

}  // namespace

Result<std::unique_ptr<RbdVolume>> RbdVolume::open(const RbdOpenOptions& options) {
  auto image = RbdImage::open(options);
  if (!image) return image.error();
  return std::unique_ptr<RbdVolume>(new RbdVolume(std::move(image.value()), options));
}

RbdVolume::RbdVolume(std::unique_ptr<RbdImage> image, const RbdOpenOptions& options)
    : image_(std::move(image)),
      librbd_(image_->librbd()),
      extents_(librbd_, image_->get(), image_->facts()) {
  const RbdFacts& facts = image_->facts();
  info_.kind = "rbd";
  info_.name = "rbd:" + options.path();
  info_.identity = identity_of(*image_, options.name_space);
  info_.size = facts.size;
  info_.preferred_size = static_cast<std::uint32_t>(preferred_size_of(facts));
  info_.zero_state = options.create ? ZeroState::proven_zero : ZeroState::unknown;
  info_.read_only = !options.writable;
  info_.snapshot = facts.snapshot_id.has_value();
  info_.direct = !facts.cached;
  info_.maps_extents = extents_.usable();
  info_.zeroes = options.writable && librbd_.rbd_aio_write_zeroes != nullptr;
}

Result<std::vector<Extent>> RbdVolume::map(std::uint64_t offset, std::uint64_t length) {
  if (!info_.maps_extents) return Volume::map(offset, length);
  return extents_.query(offset, length);
}

Result<std::optional<std::vector<Watcher>>> RbdVolume::watchers() { return watchers_of(image_); }

bool RbdVolume::confirm_zero(const std::atomic<bool>& stop) {
  for (std::uint64_t position = 0; position < info_.size;) {
    if (stop.load(std::memory_order_relaxed)) return false;
    auto extents = map(position, info_.size - position);
    if (!extents) return false;
    for (const Extent& extent : extents.value()) {
      if (extent.kind == ExtentKind::data) return false;
      position = extent.end();
    }
  }
  return true;
}

void RbdVolume::submit(Reactor& reactor, Request& request) {
  request.reactor = &reactor;
  request.error = 0;
  request.progress = 0;
  request.handle = this;
  const bool changes =
      request.operation == Operation::write || request.operation == Operation::zero;
  if (changes && info_.read_only) return complete_later(reactor, request, EROFS);
  if (request.operation == Operation::zero && !info_.zeroes)
    return complete_later(reactor, request, ENOTSUP);
  if (request.operation == Operation::flush ? info_.read_only : request.length == 0) {
    return complete_later(reactor, request, 0);
  }
  advance(request);
}

/// Starts what is left of a request; on the reactor's thread at first, then on librbd's.
void RbdVolume::advance(Request& request) {
  rbd_completion_t completion = nullptr;
  int result = librbd_.rbd_aio_create_completion(&request, &RbdVolume::completed, &completion);
  if (result < 0) return fail(request, -result);
  result = start(request, completion);
  if (result >= 0) return;
  librbd_.rbd_aio_release(completion);
  fail(request, -result);
}

int RbdVolume::start(Request& request, rbd_completion_t completion) {
  const std::uint64_t offset = request.offset + request.progress;
  const std::uint64_t length = end_of_piece(offset, request.offset + request.length) - offset;
  char* data = reinterpret_cast<char*>(request.data.data()) + request.progress;
  rbd_image_t image = image_->get();
  switch (request.operation) {
    case Operation::read:
      return librbd_.rbd_aio_read(image, offset, length, data, completion);
    case Operation::write:
      return librbd_.rbd_aio_write(image, offset, length, data, completion);
    case Operation::zero:
      // Without a flag it gives space back; a discard would leave partial blocks as they are.
      return librbd_.rbd_aio_write_zeroes(image, offset, length, completion, 0, 0);
    case Operation::flush:
      return librbd_.rbd_aio_flush(image, completion);
    default:
      return -EINVAL;
  }
}

/// On a thread of librbd's.
void RbdVolume::completed(rbd_completion_t completion, void* context) noexcept {
  Request& request = *static_cast<Request*>(context);
  RbdVolume& volume = *static_cast<RbdVolume*>(request.handle);
  const std::int64_t result = volume.librbd_.rbd_aio_get_return_value(completion);
  volume.librbd_.rbd_aio_release(completion);
  volume.advanced(request, result);
}

void RbdVolume::advanced(Request& request, std::int64_t result) {
  // The range lay within the image when it was opened. It does not any more.
  if (result == -EINVAL) return fail(request, EIO);
  if (result < 0) return fail(request, static_cast<int>(-result));
  if (request.operation == Operation::flush) return complete_later(*request.reactor, request, 0);
  const std::uint64_t offset = request.offset + request.progress;
  const std::uint64_t asked = end_of_piece(offset, request.offset + request.length) - offset;
  // A write gives 0, a read what it brought: less, or nothing, where the image became smaller.
  const std::uint64_t done =
      request.operation == Operation::read ? static_cast<std::uint64_t>(result) : asked;
  if (done == 0 || done > asked) return fail(request, EIO);
  request.progress += done;
  if (request.progress == request.length) return complete_later(*request.reactor, request, 0);
  advance(request);
}

void RbdVolume::fail(Request& request, int error) {
  // Shut out by the cluster: a new open needs a new connection.
  if (error == ESHUTDOWN) image_->cluster().abandon();
  complete_later(*request.reactor, request, error);
}

}  // namespace blockhaul
