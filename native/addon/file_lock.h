#pragma once

#include <memory>

#include "addon/node_api.h"
#include "io/file_lock.h"

namespace blockhaul {

/// JavaScript's hold on a lock (`NativeFileLock` in src/native.ts). A handle that is forgotten, or
/// whose environment goes, gives the lock back.
class FileLockHandle final : public Napi::ObjectWrap<FileLockHandle> {
 public:
  static void define(Napi::Env env);
  /// lockFile(path): a handle, or null where somebody else holds the lock.
  static Napi::Value take(const Napi::CallbackInfo& call);

  explicit FileLockHandle(const Napi::CallbackInfo& call);

 private:
  Napi::Value release(const Napi::CallbackInfo& call);
  Napi::Value descriptor(const Napi::CallbackInfo& call);

  std::unique_ptr<FileLock> lock_;  ///< null once released
};

}  // namespace blockhaul
