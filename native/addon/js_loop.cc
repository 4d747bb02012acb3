#include "addon/js_loop.h"

namespace blockhaul {

std::shared_ptr<JsLoop> JsLoop::create(Napi::Env env) {
  std::shared_ptr<JsLoop> loop(new JsLoop(env));
  loop->function_ = Function::New(env, "blockhaul", 0, 1);
  loop->function_.Unref(env);
  return loop;
}

void JsLoop::post(Work work) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  auto* queued = new Work(std::move(work));
  if (function_.NonBlockingCall(queued) != napi_ok) delete queued;
}

void JsLoop::run(Napi::Env env, Napi::Function, std::nullptr_t*, Work* work) {
  const std::unique_ptr<Work> owned(work);
  // Without an environment, JavaScript is gone; what the work holds goes with it.
  if (env == nullptr) return;
  try {
    (*owned)(env);
  } catch (const Napi::Error&) {
    // Promises are settled by values, so nothing of ours throws here; a worker that is being
    // terminated refuses every call, and nobody is left to tell.
  }
}

void JsLoop::expect() {
  if (expected_++ == 0) function_.Ref(env_);
}

void JsLoop::settled() {
  if (--expected_ == 0) function_.Unref(env_);
}

void JsLoop::close() {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  closed_ = true;
  function_.Abort();
}

}  // namespace blockhaul
