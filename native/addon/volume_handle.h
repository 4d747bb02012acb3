#pragma once

#include <memory>
#include <string>

#include "addon/environment.h"
#include "addon/node_api.h"
#include "volume/volume.h"

namespace blockhaul {

/// JavaScript's hold on an open volume (`NativeVolume` in src/native.ts).
class VolumeHandle final : public Napi::ObjectWrap<VolumeHandle> {
 public:
  static void define(Napi::Env env);
  static Napi::Object wrap(Napi::Env env, std::shared_ptr<Volume> volume);
  /// Throws a TypeError for anything that is not one of ours.
  static VolumeHandle& unwrap(const Napi::Value& value);

  explicit VolumeHandle(const Napi::CallbackInfo& call);
  void Finalize(Napi::BasicEnv env) override;

  /// The open volume; throws ERR_VOLUME_CLOSED. What takes it calls begin() and, on JavaScript's
  /// thread, end(): close() waits for that.
  [[nodiscard]] std::shared_ptr<Volume> open_volume(Napi::Env env, Operation operation) const;
  void begin() { ++in_use_; }
  void end(Napi::Env env);
  /// What uses the volume hangs: until recover(), close() fails at once instead of waiting for it.
  void abandon() { ++abandoned_; }
  void recover() { --abandoned_; }

 private:
  Napi::Value read(const Napi::CallbackInfo& call);
  Napi::Value write(const Napi::CallbackInfo& call);
  Napi::Value zero(const Napi::CallbackInfo& call);
  Napi::Value flush(const Napi::CallbackInfo& call);
  Napi::Value map(const Napi::CallbackInfo& call);
  Napi::Value watchers(const Napi::CallbackInfo& call);
  Napi::Value writers_at_once(const Napi::CallbackInfo& call);
  Napi::Value lock(const Napi::CallbackInfo& call);
  Napi::Value close(const Napi::CallbackInfo& call);
  Napi::Value transfer(const Napi::CallbackInfo& call, Operation operation);
  Napi::Value info(const Napi::CallbackInfo& call);
  void release(Napi::Env env);

  std::shared_ptr<Volume> volume_;
  std::string name_;
  unsigned in_use_ = 0;
  unsigned abandoned_ = 0;
  bool closing_ = false;
  std::unique_ptr<class OpenPromise> closed_;
  Napi::ObjectReference close_promise_;
};

}  // namespace blockhaul
