#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "addon/js_loop.h"
#include "addon/node_api.h"
#include "core/result.h"
#include "io/reactor_thread.h"

namespace blockhaul {

/// What must come to an end, without JavaScript, before an environment goes. All of it is told
/// first, then waited for: a copy's end may wait for what another part answers.
class ShutDown {
 public:
  virtual ~ShutDown() = default;
  virtual void begin_shut_down() = 0;
  virtual void await_shut_down() {}
};

/// What the addon keeps for one JavaScript environment: the main thread's, or a worker's.
class Environment {
 public:
  static void attach(Napi::Env env);
  static Environment& of(Napi::Env env);

  explicit Environment(Napi::Env env);
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  [[nodiscard]] const std::shared_ptr<JsLoop>& loop() const { return loop_; }
  /// The reactor for single requests of JavaScript's (a copy has its own), made at the first call.
  Result<Reactor*> reactor();

  /// Single requests in flight: their buffers are JavaScript's, so the environment waits for them.
  void request_begins() { ++requests_; }
  void request_ended();

  void add(std::weak_ptr<ShutDown> part);

  Napi::FunctionReference error_factory;
  Napi::FunctionReference volume_class;
  Napi::FunctionReference copy_class;
  Napi::FunctionReference file_hold_class;
  Napi::FunctionReference file_lock_class;
  Napi::FunctionReference journal_class;
  Napi::FunctionReference region_lock_class;
  Napi::FunctionReference secret_class;

 private:
  void shut_down();

  std::shared_ptr<JsLoop> loop_;
  std::unique_ptr<ReactorThread> reactor_;
  std::vector<std::weak_ptr<ShutDown>> parts_;
  std::atomic<unsigned> requests_{0};
};

}  // namespace blockhaul
