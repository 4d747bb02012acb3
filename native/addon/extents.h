#pragma once

#include <vector>

#include "addon/node_api.h"
#include "core/extent.h"

namespace blockhaul {

/// A list of `Extent`.
Napi::Value to_js(Napi::Env env, const std::vector<Extent>& extents);

}  // namespace blockhaul
