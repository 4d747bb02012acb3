#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "addon/node_api.h"

namespace blockhaul {

inline Napi::Array to_js(Napi::Env env, const std::vector<std::string>& texts) {
  Napi::Array list = Napi::Array::New(env, texts.size());
  for (std::uint32_t i = 0; i < texts.size(); ++i) list.Set(i, texts[i]);
  return list;
}

}  // namespace blockhaul
