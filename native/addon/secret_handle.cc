#include "addon/secret_handle.h"

#include <string>
#include <utility>

#include "addon/arguments.h"
#include "addon/environment.h"
#include "addon/js_error.h"
#include "io/environment_secret.h"

namespace blockhaul {

void SecretHandle::define(Napi::Env env) {
  Environment::of(env).secret_class = Napi::Persistent(
      DefineClass(env, "NativeSecret", {InstanceMethod<&SecretHandle::wipe>("wipe")}));
}

Napi::Value SecretHandle::make(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  auto memory = SecretMemory::create(whole_number(call[0], "size"));
  if (!memory) throw Napi::Error(env, to_js(env, memory.error()));
  return wrap(env, std::move(memory.value()));
}

Napi::Value SecretHandle::take(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  auto taken = take_from_environment(string_value(call[0], "name").c_str());
  if (!taken) throw Napi::Error(env, to_js(env, taken.error()));
  if (!taken.value()) return env.Undefined();
  return wrap(env, std::move(*taken.value()));
}

Napi::Value SecretHandle::wrap(Napi::Env env, SecretMemory memory) {
  return Environment::of(env).secret_class.New({Napi::External<SecretMemory>::New(env, &memory)});
}

SecretHandle::SecretHandle(const Napi::CallbackInfo& call) : ObjectWrap(call) {
  if (!call[0].IsExternal()) {
    throw Napi::TypeError::New(call.Env(), "secrets are made, not constructed");
  }
  kept_ = std::make_shared<Kept>(std::move(*call[0].As<Napi::External<SecretMemory>>().Data()));
  const auto bytes = kept_->memory.bytes();
  // Two buffers over one memory are more than V8 bears: it is made once, and keeps the memory.
  auto* const data = reinterpret_cast<std::uint8_t*>(bytes.data());
  const auto buffer = Napi::Buffer<std::uint8_t>::New(
      call.Env(), data, bytes.size(), [kept = kept_](Napi::Env, const std::uint8_t*) {});
  call.This().As<Napi::Object>().Set("bytes", buffer);
}

Napi::Value SecretHandle::wipe(const Napi::CallbackInfo& call) {
  kept_->memory.wipe();
  kept_->undumpable.reset();
  return call.Env().Undefined();
}

}  // namespace blockhaul
