#include "addon/file_lock.h"

#include "addon/arguments.h"
#include "addon/environment.h"
#include "addon/js_error.h"

namespace blockhaul {

void FileLockHandle::define(Napi::Env env) {
  Environment::of(env).file_lock_class =
      Napi::Persistent(DefineClass(env, "NativeFileLock",
                                   {
                                       InstanceMethod<&FileLockHandle::release>("release"),
                                       InstanceAccessor<&FileLockHandle::descriptor>("descriptor"),
                                   }));
}

Napi::Value FileLockHandle::take(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  const std::string path = string_value(call[0], "path");
  auto taken = FileLock::take(path);
  if (!taken) throw Napi::Error(env, to_js(env, taken.error(), path));
  if (!taken.value()) return env.Null();
  return Environment::of(env).file_lock_class.New(
      {Napi::External<std::unique_ptr<FileLock>>::New(env, &taken.value())});
}

FileLockHandle::FileLockHandle(const Napi::CallbackInfo& call) : ObjectWrap(call) {
  if (!call[0].IsExternal()) {
    throw Napi::TypeError::New(call.Env(), "locks are taken, not constructed");
  }
  lock_ = std::move(*call[0].As<Napi::External<std::unique_ptr<FileLock>>>().Data());
}

Napi::Value FileLockHandle::release(const Napi::CallbackInfo& call) {
  lock_.reset();
  return call.Env().Undefined();
}

Napi::Value FileLockHandle::descriptor(const Napi::CallbackInfo& call) {
  return Napi::Number::New(call.Env(), lock_ ? lock_->descriptor() : -1);
}

}  // namespace blockhaul
