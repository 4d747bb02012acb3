#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "addon/node_api.h"
#include "core/secret_memory.h"
#include "io/undumpable.h"

namespace blockhaul {

/// JavaScript's hold on a secret (`NativeSecret` in src/native-host.ts). As long as it is not
/// wiped, the process has no core dumps; the memory itself stays as long as a buffer refers to it.
class SecretHandle final : public Napi::ObjectWrap<SecretHandle> {
 public:
  static void define(Napi::Env env);
  /// makeSecret(size)
  static Napi::Value make(const Napi::CallbackInfo& call);
  /// takeFromEnvironment(name): undefined where it is not set.
  static Napi::Value take(const Napi::CallbackInfo& call);

  explicit SecretHandle(const Napi::CallbackInfo& call);

 private:
  struct Kept {
    explicit Kept(SecretMemory taken) : memory(std::move(taken)) {}
    SecretMemory memory;
    std::optional<Undumpable> undumpable{std::in_place};
  };

  static Napi::Value wrap(Napi::Env env, SecretMemory memory);
  Napi::Value wipe(const Napi::CallbackInfo& call);

  std::shared_ptr<Kept> kept_;
};

}  // namespace blockhaul
