#pragma once

#include <string>

#include "addon/node_api.h"
#include "core/error.h"

namespace blockhaul {

/// The BlockhaulError for an error of the engine's. `volume` names the volume it concerns; "" where
/// the side says which.
Napi::Value to_js(Napi::Env env, const Error& error, const std::string& volume = {});

}  // namespace blockhaul
