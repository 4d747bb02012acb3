#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "addon/node_api.h"
#include "core/digest.h"

namespace blockhaul {

// Reads arguments and the fields of an options object. The TypeScript layer validates what people
// pass; these throw a TypeError where it and the addon disagree.

std::uint64_t whole_number(const Napi::Value& value, const char* name);
std::string string_value(const Napi::Value& value, const char* name);

std::string string_field(const Napi::Object& object, const char* name);
std::uint64_t number_field(const Napi::Object& object, const char* name);
bool bool_field(const Napi::Object& object, const char* name, bool fallback);

/// "xxh3", "sha256" or "none".
DigestKind digest_field(const Napi::Object& object, const char* name);

std::optional<std::string> optional_string(const Napi::Object& object, const char* name);
std::optional<std::uint64_t> optional_number(const Napi::Object& object, const char* name);

/// A number for JavaScript; sizes and offsets stay below 2^53.
inline Napi::Number to_number(Napi::Env env, std::uint64_t value) {
  return Napi::Number::New(env, static_cast<double>(value));
}

}  // namespace blockhaul
