#pragma once

#include "addon/node_api.h"

namespace blockhaul {

/// `NativeBinding.reportLuns` in src/native.ts.
Napi::Value report_luns_of(const Napi::CallbackInfo& call);

/// `NativeBinding.inquire` in src/native.ts.
Napi::Value inquire_of(const Napi::CallbackInfo& call);

}  // namespace blockhaul
