#include "addon/report_luns.h"

#include "addon/arguments.h"
#include "addon/promise.h"
#include "io/report_luns.h"

namespace blockhaul {

Napi::Value report_luns_of(const Napi::CallbackInfo& call) {
  using Answer = std::vector<std::uint8_t>;
  const std::string path = string_value(call[0], "path");
  return promise_of<Answer>(
      call.Env(), path, [path]() -> Result<Answer> { return report_luns(path); },
      [](Napi::Env env, Answer& answer) -> Napi::Value {
        return Napi::Buffer<std::uint8_t>::Copy(env, answer.data(), answer.size());
      });
}

}  // namespace blockhaul
