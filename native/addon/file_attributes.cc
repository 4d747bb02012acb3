#include "addon/file_attributes.h"

#include "addon/arguments.h"
#include "addon/promise.h"
#include "addon/texts.h"
#include "io/file_attributes.h"

namespace blockhaul {

Napi::Value keep_file_attributes_of(const Napi::CallbackInfo& call) {
  using Lost = std::vector<std::string>;
  const std::string source = string_value(call[0], "source");
  const std::string target = string_value(call[1], "target");
  return promise_of<Lost>(
      call.Env(), target,
      [source, target]() -> Result<Lost> { return keep_file_attributes(source, target); },
      [](Napi::Env env, Lost& lost) -> Napi::Value { return to_js(env, lost); });
}

}  // namespace blockhaul
