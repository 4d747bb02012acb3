#include "addon/file_hold.h"

#include "addon/arguments.h"
#include "addon/environment.h"
#include "addon/path_look.h"
#include "addon/promise.h"

namespace blockhaul {
namespace {

using Shared = std::shared_ptr<FileHold>;

Napi::Value to_boolean(Napi::Env env, bool& value) { return Napi::Boolean::New(env, value); }

}  // namespace

void FileHoldHandle::define(Napi::Env env) {
  Environment::of(env).file_hold_class =
      Napi::Persistent(DefineClass(env, "NativeFileHold",
                                   {
                                       InstanceAccessor<&FileHoldHandle::look>("look"),
                                       InstanceAccessor<&FileHoldHandle::writers>("writers"),
                                       InstanceMethod<&FileHoldHandle::is_whole>("isWhole"),
                                       InstanceMethod<&FileHoldHandle::is_at>("isAt"),
                                       InstanceMethod<&FileHoldHandle::unlink>("unlink"),
                                       InstanceMethod<&FileHoldHandle::release>("release"),
                                   }));
}

Napi::Value FileHoldHandle::take(const Napi::CallbackInfo& call) {
  const std::string path = string_value(call[0], "path");
  return promise_of<Shared>(
      call.Env(), path, [path] { return FileHold::take(path); },
      [](Napi::Env env, Shared& hold) -> Napi::Value {
        return Environment::of(env).file_hold_class.New({Napi::External<Shared>::New(env, &hold)});
      });
}

FileHoldHandle::FileHoldHandle(const Napi::CallbackInfo& call) : ObjectWrap(call) {
  if (!call[0].IsExternal())
    throw Napi::TypeError::New(call.Env(), "holds are taken, not constructed");
  hold_ = std::move(*call[0].As<Napi::External<Shared>>().Data());
}

Napi::Value FileHoldHandle::look(const Napi::CallbackInfo& call) {
  return hold_ ? to_js(call.Env(), hold_->look()) : call.Env().Undefined();
}

Napi::Value FileHoldHandle::writers(const Napi::CallbackInfo& call) {
  return Napi::String::New(call.Env(),
                           std::string(name_of(hold_ ? hold_->writers() : Writers::unknown)));
}

Napi::Value FileHoldHandle::is_whole(const Napi::CallbackInfo& call) {
  return Napi::Boolean::New(call.Env(), hold_ && hold_->is_whole());
}

Napi::Value FileHoldHandle::is_at(const Napi::CallbackInfo& call) {
  const std::string path = string_value(call[0], "path");
  return promise_of<bool>(
      call.Env(), path,
      [hold = hold_, path]() -> Result<bool> { return hold ? hold->is_at(path) : false; },
      to_boolean);
}

Napi::Value FileHoldHandle::unlink(const Napi::CallbackInfo& call) {
  const std::string path = string_value(call[0], "path");
  return promise_of<bool>(
      call.Env(), path,
      [hold = hold_, path]() -> Result<bool> { return hold ? hold->unlink(path) : false; },
      to_boolean);
}

/// The last close of a file without a name frees its space, which may take a while.
Napi::Value FileHoldHandle::release(const Napi::CallbackInfo& call) {
  return promise_of<bool>(
      call.Env(), "",
      [hold = std::move(hold_)]() mutable -> Result<bool> {
        hold.reset();
        return true;
      },
      [](Napi::Env env, bool&) -> Napi::Value { return env.Undefined(); });
}

Napi::Value rename_to_new_of(const Napi::CallbackInfo& call) {
  const std::string from = string_value(call[0], "from");
  const std::string to = string_value(call[1], "to");
  return promise_of<bool>(
      call.Env(), from, [from, to] { return rename_to_new(from, to); },
      [](Napi::Env env, bool&) -> Napi::Value { return env.Undefined(); });
}

}  // namespace blockhaul
