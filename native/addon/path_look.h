#pragma once

#include "addon/node_api.h"
#include "io/path_look.h"

namespace blockhaul {

/// `NativePathLook` in src/native.ts.
Napi::Object to_js(Napi::Env env, const PathLook& look);

/// `NativeBinding.lookAtPath` in src/native.ts.
Napi::Value look_at_path_of(const Napi::CallbackInfo& call);

/// `NativeBinding.syncPath` in src/native.ts.
Napi::Value sync_path_of(const Napi::CallbackInfo& call);

}  // namespace blockhaul
