#include "addon/arguments.h"

namespace blockhaul {
namespace {

constexpr double kSafeIntegers = 9007199254740992.0;  // 2^53

[[noreturn]] void refuse(const Napi::Value& value, const char* name, const char* wanted) {
  throw Napi::TypeError::New(value.Env(), std::string(name) + " is not " + wanted);
}

bool absent(const Napi::Value& value) { return value.IsUndefined() || value.IsNull(); }

}  // namespace

std::string string_value(const Napi::Value& value, const char* name) {
  if (!value.IsString()) refuse(value, name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

std::uint64_t whole_number(const Napi::Value& value, const char* name) {
  if (!value.IsNumber()) refuse(value, name, "a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= 0 && number < kSafeIntegers) ||
      number != static_cast<double>(static_cast<std::uint64_t>(number))) {
    refuse(value, name, "a whole number from 0 to 2^53 - 1");
  }
  return static_cast<std::uint64_t>(number);
}

std::string string_field(const Napi::Object& object, const char* name) {
  return string_value(object.Get(name), name);
}

std::uint64_t number_field(const Napi::Object& object, const char* name) {
  return whole_number(object.Get(name), name);
}

bool bool_field(const Napi::Object& object, const char* name, bool fallback) {
  const Napi::Value value = object.Get(name);
  if (absent(value)) return fallback;
  if (!value.IsBoolean()) refuse(value, name, "a boolean");
  return value.As<Napi::Boolean>().Value();
}

DigestKind digest_field(const Napi::Object& object, const char* name) {
  const std::string kind = string_field(object, name);
  if (kind == "xxh3") return DigestKind::xxh3;
  if (kind == "sha256") return DigestKind::sha256;
  return DigestKind::none;
}

std::optional<std::string> optional_string(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (absent(value)) return std::nullopt;
  return string_value(value, name);
}

std::optional<std::uint64_t> optional_number(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (absent(value)) return std::nullopt;
  return whole_number(value, name);
}

}  // namespace blockhaul
