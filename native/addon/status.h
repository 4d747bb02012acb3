#pragma once

#include "addon/node_api.h"

namespace blockhaul {

// What `doctor` asks of this host.

Napi::Value io_status(const Napi::CallbackInfo& call);
Napi::Value librbd_status(const Napi::CallbackInfo& call);

}  // namespace blockhaul
