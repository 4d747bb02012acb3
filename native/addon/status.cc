#include "addon/status.h"

#include "addon/js_error.h"
#include "io/reactor.h"
#include "volume/librbd.h"

namespace blockhaul {

Napi::Value io_status(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  Napi::Object status = Napi::Object::New(env);
  if (Status allowed = probe_uring(); !allowed) status.Set("reason", allowed.error().message);
  auto reactor = make_reactor(ReactorKind::automatic, 1);
  if (!reactor) throw Napi::Error(env, to_js(env, reactor.error()));
  status.Set("io", std::string(reactor.value()->name()));
  return status;
}

Napi::Value librbd_status(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  Napi::Object status = Napi::Object::New(env);
  const Result<const Librbd*> library = Librbd::load();
  status.Set("available", library.ok());
  if (library) {
    status.Set("version", library.value()->version());
  } else {
    status.Set("reason", library.error().message);
  }
  return status;
}

}  // namespace blockhaul
