#include "addon/region_lock.h"

#include "addon/arguments.h"
#include "addon/environment.h"
#include "addon/js_error.h"

namespace blockhaul {

void RegionLockHandle::define(Napi::Env env) {
  Environment::of(env).region_lock_class = Napi::Persistent(DefineClass(
      env, "NativeRegionLock", {InstanceMethod<&RegionLockHandle::release>("release")}));
}

Napi::Value RegionLockHandle::take(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  const std::string path = string_value(call[0], "path");
  auto taken = RegionLock::take(path, whole_number(call[1], "place"));
  if (!taken) throw Napi::Error(env, to_js(env, taken.error(), path));
  if (!taken.value()) return env.Null();
  return Environment::of(env).region_lock_class.New(
      {Napi::External<std::unique_ptr<RegionLock>>::New(env, &taken.value())});
}

RegionLockHandle::RegionLockHandle(const Napi::CallbackInfo& call) : ObjectWrap(call) {
  if (!call[0].IsExternal())
    throw Napi::TypeError::New(call.Env(), "locks are taken, not constructed");
  lock_ = std::move(*call[0].As<Napi::External<std::unique_ptr<RegionLock>>>().Data());
}

Napi::Value RegionLockHandle::release(const Napi::CallbackInfo& call) {
  lock_.reset();
  return call.Env().Undefined();
}

}  // namespace blockhaul
