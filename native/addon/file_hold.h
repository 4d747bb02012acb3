#pragma once

#include <memory>

#include "addon/node_api.h"
#include "io/file_hold.h"

namespace blockhaul {

/// JavaScript's hold on an image file (`NativeFileHold` in src/native.ts). What may block is done
/// on threads of their own; a handle that is forgotten gives the file back.
class FileHoldHandle final : public Napi::ObjectWrap<FileHoldHandle> {
 public:
  static void define(Napi::Env env);
  /// holdFile(path): a promise of a handle.
  static Napi::Value take(const Napi::CallbackInfo& call);

  explicit FileHoldHandle(const Napi::CallbackInfo& call);

 private:
  Napi::Value look(const Napi::CallbackInfo& call);
  Napi::Value writers(const Napi::CallbackInfo& call);
  Napi::Value is_whole(const Napi::CallbackInfo& call);
  Napi::Value is_at(const Napi::CallbackInfo& call);
  Napi::Value unlink(const Napi::CallbackInfo& call);
  Napi::Value release(const Napi::CallbackInfo& call);

  std::shared_ptr<FileHold> hold_;  ///< null once released
};

/// `NativeBinding.renameToNew` in src/native.ts.
Napi::Value rename_to_new_of(const Napi::CallbackInfo& call);

}  // namespace blockhaul
