#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "addon/environment.h"
#include "addon/js_loop.h"
#include "volume/js_volume.h"

namespace blockhaul {

/// Hands a volume's operations to a JavaScript function (`JsDispatch` in src/native.ts) and takes
/// the answers of its promises. JavaScript gets buffers of its own, so one that it keeps can never
/// reach into a copy's; that costs a memcpy a request.
class FunctionBridge final : public JsBridge,
                             public ShutDown,
                             public std::enable_shared_from_this<FunctionBridge> {
 public:
  /// JavaScript's thread.
  static std::shared_ptr<FunctionBridge> create(Napi::Env env, const Napi::Function& dispatch);
  ~FunctionBridge() override;

  void call(std::shared_ptr<JsCall> call) override;
  /// JavaScript is gone: every call, now and later, fails with ECANCELED.
  void begin_shut_down() override;

 private:
  FunctionBridge(Napi::Env env, const Napi::Function& dispatch);

  void run(Napi::Env env, std::uint64_t id);
  void answer(std::uint64_t id, Napi::Value buffer, Napi::Value value);
  void refuse(std::uint64_t id, Napi::Value reason);
  std::shared_ptr<JsCall> take(std::uint64_t id);

  std::shared_ptr<JsLoop> loop_;
  Napi::FunctionReference* dispatch_;  ///< dropped on JavaScript's thread, or never
  std::mutex mutex_;
  // Guarded by mutex_:
  std::unordered_map<std::uint64_t, std::shared_ptr<JsCall>> calls_;
  std::uint64_t next_id_ = 0;
  bool closed_ = false;
};

}  // namespace blockhaul
