#pragma once

#include "addon/node_api.h"

namespace blockhaul {

/// `NativeBinding.scanProcesses` in src/native.ts.
Napi::Value scan_processes_of(const Napi::CallbackInfo& call);

}  // namespace blockhaul
