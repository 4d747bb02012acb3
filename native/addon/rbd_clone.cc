#include "volume/rbd_clone.h"

#include "addon/arguments.h"
#include "addon/promise.h"
#include "addon/rbd_arguments.h"
#include "addon/rbd_control.h"

namespace blockhaul {

Napi::Value rbd_clone_snapshot(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  RbdCloneOptions options;
  options.source = rbd_image(call[0].As<Napi::Object>());
  options.target = rbd_image(call[1].As<Napi::Object>());
  options.target.create =
      rbd_create_options(call[1].As<Napi::Object>().Get("create").As<Napi::Object>());
  const auto control = std::make_shared<RbdCloneControl>();
  Napi::Object job = Napi::Object::New(env);
  job.Set("finished", promise_of<std::monostate>(
                          env, "rbd:" + options.target.path(),
                          [options, control] { return clone_snapshot(options, control); },
                          [](Napi::Env js, std::monostate&) { return js.Undefined(); }));
  job.Set("done", Napi::Function::New(env, [control](const Napi::CallbackInfo& asked) {
            return to_number(asked.Env(), control->done);
          }));
  job.Set("cancel", Napi::Function::New(env, [control](const Napi::CallbackInfo&) {
            control->is_cancelled = true;
          }));
  return job;
}

}  // namespace blockhaul
