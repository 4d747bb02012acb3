#pragma once

#include "addon/node_api.h"

namespace blockhaul {

/// keepFileAttributes(source, target): a promise of texts, each something that could not be kept.
Napi::Value keep_file_attributes_of(const Napi::CallbackInfo& call);

}  // namespace blockhaul
