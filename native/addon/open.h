#pragma once

#include <functional>
#include <memory>
#include <string>

#include "addon/node_api.h"
#include "core/result.h"
#include "volume/posix_volume.h"

namespace blockhaul {

// One function a kind of volume, each in its own file: open_posix.cc, open_rbd.cc, …

Napi::Value open_posix(const Napi::CallbackInfo& call);
Napi::Value open_rbd(const Napi::CallbackInfo& call);
Napi::Value open_synthetic(const Napi::CallbackInfo& call);
Napi::Value open_js(const Napi::CallbackInfo& call);

/// Opens on a thread of its own; resolves to a VolumeHandle.
Napi::Value promise_of_volume(Napi::Env env, const std::string& name,
                              std::function<Result<std::shared_ptr<Volume>>()> open);

/// The field `mode`.
AccessMode access_mode(const Napi::Object& options);

}  // namespace blockhaul
