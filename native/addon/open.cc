#include "addon/open.h"

#include "addon/arguments.h"
#include "addon/promise.h"
#include "addon/volume_handle.h"

namespace blockhaul {

AccessMode access_mode(const Napi::Object& options) {
  return string_field(options, "mode") == "write" ? AccessMode::write : AccessMode::read;
}

Napi::Value promise_of_volume(Napi::Env env, const std::string& name,
                              std::function<Result<std::shared_ptr<Volume>>()> open) {
  return promise_of<std::shared_ptr<Volume>>(env, name, std::move(open),
                                             [](Napi::Env js, std::shared_ptr<Volume>& volume) {
                                               return VolumeHandle::wrap(js, std::move(volume));
                                             });
}

}  // namespace blockhaul
