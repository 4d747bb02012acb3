#include "addon/region_lock.h"

#include <cstdint>
#include <string>

#include "addon/arguments.h"
#include "addon/environment.h"
#include "addon/js_error.h"

namespace blockhaul {
namespace {

/// A bigint, since places reach beyond 2^53.
std::uint64_t place(const Napi::Value& value, const char* name) {
  bool lossless = false;
  const std::uint64_t found =
      value.IsBigInt() ? value.As<Napi::BigInt>().Uint64Value(&lossless) : 0;
  if (!lossless || found > static_cast<std::uint64_t>(INT64_MAX))
    throw Napi::TypeError::New(value.Env(), std::string(name) + " is not a bigint below 2^63");
  return found;
}

}  // namespace

void RegionLockHandle::define(Napi::Env env) {
  Environment::of(env).region_lock_class = Napi::Persistent(DefineClass(
      env, "NativeRegionLock", {InstanceMethod<&RegionLockHandle::release>("release")}));
}

Napi::Value RegionLockHandle::take(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  const std::string path = string_value(call[0], "path");
  const RegionLock::Region region{.start = place(call[1], "start"),
                                  .length = place(call[2], "length")};
  const bool alone = call[3].ToBoolean().Value();
  auto taken = RegionLock::take(path, region, alone ? LockMode::exclusive : LockMode::shared);
  if (!taken) throw Napi::Error(env, to_js(env, taken.error(), path));
  if (!taken.value()) return env.Null();
  return wrap(env, std::move(taken.value()));
}

Napi::Object RegionLockHandle::wrap(Napi::Env env, std::unique_ptr<RegionLock> lock) {
  return Environment::of(env).region_lock_class.New(
      {Napi::External<std::unique_ptr<RegionLock>>::New(env, &lock)});
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
