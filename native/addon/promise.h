#pragma once

#include <functional>
#include <memory>

#include "addon/background.h"
#include "addon/environment.h"
#include "addon/js_error.h"

namespace blockhaul {

/// A promise of ours that keeps the process alive until it is settled. JavaScript's thread only;
/// an environment that goes away leaves it unsettled.
class OpenPromise {
 public:
  explicit OpenPromise(Napi::Env env)
      : deferred_(Napi::Promise::Deferred::New(env)), loop_(Environment::of(env).loop()) {
    loop_->expect();
  }

  [[nodiscard]] Napi::Promise promise() const { return deferred_.Promise(); }
  [[nodiscard]] const std::shared_ptr<JsLoop>& loop() const { return loop_; }

  void resolve(Napi::Value value) {
    deferred_.Resolve(value);
    loop_->settled();
  }
  void reject(Napi::Value error) {
    deferred_.Reject(error);
    loop_->settled();
  }

 private:
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<JsLoop> loop_;
};

/// Does blocking work on a thread of its own; `convert` makes JavaScript's value of what came out.
/// `volume` names the volume in an error.
template <typename T>
Napi::Value promise_of(Napi::Env env, const std::string& volume, std::function<Result<T>()> work,
                       std::function<Napi::Value(Napi::Env, T&)> convert) {
  auto open = std::make_shared<OpenPromise>(env);
  const std::shared_ptr<JsLoop> loop = open->loop();
  const bool started = run_in_background([=, work = std::move(work)]() mutable {
    auto result = std::make_shared<Result<T>>(work());
    work = nullptr;
    loop->post([=](Napi::Env js) {
      if (!*result) return open->reject(to_js(js, result->error(), volume));
      try {
        open->resolve(convert(js, result->value()));
      } catch (const Napi::Error& error) {
        open->reject(error.Value());
      }
    });
  });
  if (!started)
    open->reject(to_js(env, Error::from_errno(EAGAIN, Operation::open, "thread"), volume));
  return open->promise();
}

}  // namespace blockhaul
