#include "addon/arguments.h"
#include "addon/open.h"
#include "addon/volume_handle.h"
#include "volume/synthetic_volume.h"

namespace blockhaul {

Napi::Value open_synthetic(const Napi::CallbackInfo& call) {
  const auto options = call[0].As<Napi::Object>();
  const std::string kind = string_field(options, "kind");
  const std::uint64_t size = number_field(options, "size");
  std::shared_ptr<Volume> volume;
  if (kind == "null") {
    volume = make_null_volume(size);
  } else if (kind == "zero") {
    volume = make_zero_volume(size);
  } else if (kind == "pattern") {
    volume = make_pattern_volume(size, optional_number(options, "seed").value_or(0));
  } else {
    throw Napi::TypeError::New(call.Env(), "kind is not null, zero or pattern");
  }
  return VolumeHandle::wrap(call.Env(), std::move(volume));
}

}  // namespace blockhaul
