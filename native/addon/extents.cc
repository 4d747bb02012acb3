#include "addon/extents.h"

#include <string>

#include "addon/arguments.h"

namespace blockhaul {

Napi::Value to_js(Napi::Env env, const std::vector<Extent>& extents) {
  Napi::Array list = Napi::Array::New(env, extents.size());
  for (std::uint32_t i = 0; i < extents.size(); ++i) {
    Napi::Object extent = Napi::Object::New(env);
    extent.Set("offset", to_number(env, extents[i].offset));
    extent.Set("length", to_number(env, extents[i].length));
    extent.Set("kind", std::string(name_of(extents[i].kind)));
    list.Set(i, extent);
  }
  return list;
}

}  // namespace blockhaul
