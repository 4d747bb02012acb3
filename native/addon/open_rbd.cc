#include "addon/open.h"
#include "addon/rbd_arguments.h"
#include "volume/rbd_volume.h"

namespace blockhaul {

Napi::Value open_rbd(const Napi::CallbackInfo& call) {
  const auto object = call[0].As<Napi::Object>();
  RbdOpenOptions options = rbd_image(object);
  options.writable = access_mode(object) == AccessMode::write;
  if (const Napi::Value create = object.Get("create"); create.IsObject()) {
    options.create = rbd_create_options(create.As<Napi::Object>());
  }
  const std::string name = "rbd:" + options.path();
  return promise_of_volume(call.Env(), name, [options]() -> Result<std::shared_ptr<Volume>> {
    auto volume = RbdVolume::open(options);
    if (!volume) return volume.error();
    return std::shared_ptr<Volume>(std::move(volume.value()));
  });
}

}  // namespace blockhaul
