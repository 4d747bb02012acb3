#include "addon/scsi_commands.h"

#include "addon/arguments.h"
#include "addon/promise.h"
#include "io/scsi_commands.h"

namespace blockhaul {
namespace {

using Answer = std::vector<std::uint8_t>;

Napi::Value bytes_of(Napi::Env env, Answer& answer) {
  return Napi::Buffer<std::uint8_t>::Copy(env, answer.data(), answer.size());
}

}  // namespace

Napi::Value report_luns_of(const Napi::CallbackInfo& call) {
  const std::string path = string_value(call[0], "path");
  return promise_of<Answer>(
      call.Env(), path, [path]() -> Result<Answer> { return report_luns(path); }, bytes_of);
}

Napi::Value inquire_of(const Napi::CallbackInfo& call) {
  const std::string path = string_value(call[0], "path");
  const auto page = static_cast<std::uint8_t>(whole_number(call[1], "page"));
  return promise_of<Answer>(
      call.Env(), path, [path, page]() -> Result<Answer> { return inquire(path, page); }, bytes_of);
}

}  // namespace blockhaul
