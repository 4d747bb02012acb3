#include "volume/js_volume.h"

#include <future>

namespace blockhaul {

/// A map() that waits for its answer, or for an interrupt, whichever is first.
struct JsVolume::PendingMap {
  std::shared_ptr<JsCall> call = std::make_shared<JsCall>();
  std::promise<int> answer;
  std::once_flag answered;

  void settle(int error) {
    std::call_once(answered, [&] { answer.set_value(error); });
  }
};

JsVolume::JsVolume(VolumeInfo info, std::shared_ptr<JsBridge> bridge)
    : info_(std::move(info)), bridge_(std::move(bridge)) {}

void JsVolume::submit(Reactor& reactor, Request& request) {
  auto call = std::make_shared<JsCall>();
  call->operation = request.operation;
  call->offset = request.offset;
  call->length = request.length;
  call->data = request.data;
  call->finish = [&reactor, &request](int error) { complete_later(reactor, request, error); };
  bridge_->call(std::move(call));
}

Result<std::vector<Extent>> JsVolume::map(std::uint64_t offset, std::uint64_t length) {
  if (!info_.maps_extents) return Volume::map(offset, length);
  auto pending = std::make_shared<PendingMap>();
  pending->call->operation = Operation::map;
  pending->call->offset = offset;
  pending->call->length = length;
  pending->call->finish = [weak = std::weak_ptr(pending)](int error) {
    if (const auto alive = weak.lock()) alive->settle(error);
  };
  {
    const std::lock_guard lock(mutex_);
    maps_.insert(pending);
  }
  bridge_->call(pending->call);
  const int error = pending->answer.get_future().get();
  {
    const std::lock_guard lock(mutex_);
    maps_.erase(pending);
  }
  if (error != 0) return Error::from_errno(error, Operation::map);
  return std::move(pending->call->extents);
}

void JsVolume::interrupt() {
  const std::lock_guard lock(mutex_);
  for (const auto& pending : maps_) pending->settle(ECANCELED);
}

}  // namespace blockhaul
