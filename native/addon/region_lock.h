#pragma once

#include <memory>

#include "addon/node_api.h"
#include "io/region_lock.h"

namespace blockhaul {

/// JavaScript's hold on a lock (`NativeRegionLock` in src/native.ts). A handle that is forgotten,
/// or whose environment goes, gives the lock back.
class RegionLockHandle final : public Napi::ObjectWrap<RegionLockHandle> {
 public:
  static void define(Napi::Env env);
  /// lockRegion(path, start, length, exclusive): a handle, or null where somebody else holds it.
  static Napi::Value take(const Napi::CallbackInfo& call);
  static Napi::Object wrap(Napi::Env env, std::unique_ptr<RegionLock> lock);

  explicit RegionLockHandle(const Napi::CallbackInfo& call);

 private:
  Napi::Value release(const Napi::CallbackInfo& call);

  std::unique_ptr<RegionLock> lock_;  ///< null once released
};

}  // namespace blockhaul
