#include "addon/arguments.h"
#include "addon/js_bridge.h"
#include "addon/open.h"
#include "addon/volume_handle.h"

namespace blockhaul {

Napi::Value open_js(const Napi::CallbackInfo& call) {
  const auto object = call[0].As<Napi::Object>();
  VolumeInfo info;
  info.kind = string_field(object, "kind");
  info.name = string_field(object, "name");
  info.identity = string_field(object, "identity");
  info.size = number_field(object, "size");
  info.block_size = static_cast<std::uint32_t>(number_field(object, "blockSize"));
  info.preferred_size = static_cast<std::uint32_t>(number_field(object, "preferredSize"));
  info.zero_state = string_field(object, "zeroState") == "proven-zero" ? ZeroState::proven_zero
                                                                       : ZeroState::unknown;
  info.read_only = bool_field(object, "readOnly", true);
  info.direct = bool_field(object, "direct", false);
  info.maps_extents = bool_field(object, "mapsExtents", false);
  info.zeroes = bool_field(object, "zeroes", false);
  auto bridge = FunctionBridge::create(call.Env(), call[1].As<Napi::Function>());
  return VolumeHandle::wrap(call.Env(),
                            std::make_shared<JsVolume>(std::move(info), std::move(bridge)));
}

}  // namespace blockhaul
