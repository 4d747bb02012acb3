#include "addon/arguments.h"
#include "addon/open.h"
#include "volume/posix_volume.h"

namespace blockhaul {
namespace {

PathKind path_kind(const Napi::Object& options) {
  const std::string kind = string_field(options, "kind");
  if (kind == "file") return PathKind::file;
  if (kind == "block") return PathKind::block;
  return PathKind::any;
}

}  // namespace

Napi::Value open_posix(const Napi::CallbackInfo& call) {
  const auto object = call[0].As<Napi::Object>();
  PosixOpenOptions options;
  options.path = string_field(object, "path");
  options.at = optional_string(object, "at");
  options.mode = access_mode(object);
  options.kind = path_kind(object);
  options.create_size = optional_number(object, "createSize");
  options.thick = bool_field(object, "thick", false);
  options.proven_zero = bool_field(object, "provenZero", false);
  options.exclusive = bool_field(object, "exclusive", false);
  options.shared = bool_field(object, "shared", false);
  options.direct = bool_field(object, "direct", true);
  return promise_of_volume(call.Env(), options.path,
                           [options]() -> Result<std::shared_ptr<Volume>> {
                             auto volume = PosixVolume::open(options);
                             if (!volume) return volume.error();
                             return std::shared_ptr<Volume>(std::move(volume.value()));
                           });
}

}  // namespace blockhaul
