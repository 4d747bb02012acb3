#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "addon/node_api.h"

namespace blockhaul {

/// Brings work from other threads to the thread of one JavaScript environment.
///
/// The process stays alive while a promise of ours is open: expect() and settled() count those.
/// After close() (the environment is being torn down) what is posted is dropped.
class JsLoop {
 public:
  using Work = std::function<void(Napi::Env)>;

  /// JavaScript's thread.
  static std::shared_ptr<JsLoop> create(Napi::Env env);

  /// Any thread.
  void post(Work work);
  /// JavaScript's thread.
  void expect();
  void settled();
  void close();

 private:
  explicit JsLoop(Napi::Env env) : env_(env) {}
  static void run(Napi::Env env, Napi::Function, std::nullptr_t*, Work* work);
  using Function = Napi::TypedThreadSafeFunction<std::nullptr_t, Work, run>;

  Napi::Env env_;
  unsigned expected_ = 0;
  std::mutex mutex_;
  // Guarded by mutex_:
  Function function_;
  bool closed_ = false;
};

}  // namespace blockhaul
