#include "addon/js_error.h"

#include "addon/environment.h"

namespace blockhaul {

Napi::Value to_js(Napi::Env env, const Error& error, const std::string& volume) {
  Napi::Object fields = Napi::Object::New(env);
  fields.Set("message", error.message);
  fields.Set("operation", std::string(name_of(error.operation)));
  fields.Set("errno", error.number);
  if (!error.code.empty()) fields.Set("code", error.code);
  if (error.side != Side::none) fields.Set("side", std::string(name_of(error.side)));
  if (error.offset >= 0) fields.Set("offset", static_cast<double>(error.offset));
  if (!volume.empty()) fields.Set("volume", volume);
  const Napi::FunctionReference& factory = Environment::of(env).error_factory;
  if (factory.IsEmpty()) return Napi::Error::New(env, error.message).Value();
  return factory.Call({fields});
}

}  // namespace blockhaul
