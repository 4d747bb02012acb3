#pragma once

#include <memory>

#include "addon/node_api.h"

namespace blockhaul {

class RunningCopy;

/// JavaScript's hold on a copy (`NativeCopyJob` in src/native.ts).
class CopyHandle final : public Napi::ObjectWrap<CopyHandle> {
 public:
  static void define(Napi::Env env);
  /// `startCopy(source, target, options, journal?)`.
  static Napi::Value start(const Napi::CallbackInfo& call);

  explicit CopyHandle(const Napi::CallbackInfo& call);

 private:
  Napi::Value finished(const Napi::CallbackInfo& call);
  Napi::Value progress(const Napi::CallbackInfo& call);
  Napi::Value cancel(const Napi::CallbackInfo& call);
  Napi::Value set_bandwidth_limit(const Napi::CallbackInfo& call);
  Napi::Value set_iops_limit(const Napi::CallbackInfo& call);
  Napi::Value set_paused(const Napi::CallbackInfo& call);

  std::shared_ptr<RunningCopy> copy_;
  Napi::ObjectReference finished_;
};

}  // namespace blockhaul
