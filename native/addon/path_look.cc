#include "addon/path_look.h"

#include "addon/arguments.h"
#include "addon/promise.h"
#include "io/path_look.h"

namespace blockhaul {

Napi::Object to_js(Napi::Env env, const PathLook& look) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("isFile", look.is_file);
  object.Set("isDevice", look.is_device);
  object.Set("major", look.major);
  object.Set("minor", look.minor);
  object.Set("inode", std::to_string(look.inode));
  object.Set("links", static_cast<double>(look.links));
  object.Set("size", static_cast<double>(look.size));
  if (look.born) object.Set("born", std::to_string(*look.born));
  object.Set("isImmutable", look.is_immutable);
  object.Set("isAppendOnly", look.is_append_only);
  object.Set("modified", std::to_string(look.modified));
  object.Set("changed", std::to_string(look.changed));
  return object;
}

Napi::Value look_at_path_of(const Napi::CallbackInfo& call) {
  using Look = std::optional<PathLook>;
  const std::string path = string_value(call[0], "path");
  return promise_of<Look>(
      call.Env(), path, [path]() -> Result<Look> { return look_at_path(path); },
      [](Napi::Env env, Look& look) -> Napi::Value {
        if (!look) return env.Undefined();
        return to_js(env, *look);
      });
}

Napi::Value sync_path_of(const Napi::CallbackInfo& call) {
  const std::string path = string_value(call[0], "path");
  return promise_of<bool>(
      call.Env(), path, [path]() -> Result<bool> { return sync_path(path); },
      [](Napi::Env env, bool&) -> Napi::Value { return env.Undefined(); });
}

}  // namespace blockhaul
