#include "addon/copy_handle.h"

#include "addon/arguments.h"
#include "addon/running_copy.h"
#include "addon/volume_handle.h"

namespace blockhaul {
namespace {

DigestKind digest_kind(const Napi::Object& options) {
  const std::string name = string_field(options, "digest");
  if (name == "xxh3") return DigestKind::xxh3;
  if (name == "sha256") return DigestKind::sha256;
  return DigestKind::none;
}

CopyOptions copy_options(const Napi::Object& object) {
  CopyOptions options;
  options.size = number_field(object, "size");
  options.request_size = number_field(object, "requestSize");
  options.requests = static_cast<std::uint32_t>(number_field(object, "requests"));
  options.memory = number_field(object, "memory");
  options.lanes = static_cast<std::uint32_t>(number_field(object, "threads"));
  options.use_extents = bool_field(object, "useExtents", true);
  options.digest = digest_kind(object);
  options.bandwidth_limit = number_field(object, "bandwidthLimit");
  const bool fits = is_power_of_two(options.request_size) && options.request_size >= kLeaf &&
                    options.request_size <= kChunk && options.requests >= 1 && options.lanes >= 1;
  if (!fits)
    throw Napi::TypeError::New(object.Env(), "requestSize, requests or threads out of range");
  return options;
}

}  // namespace

void CopyHandle::define(Napi::Env env) {
  Environment::of(env).copy_class = Napi::Persistent(
      DefineClass(env, "NativeCopyJob",
                  {
                      InstanceAccessor<&CopyHandle::finished>("finished"),
                      InstanceMethod<&CopyHandle::progress>("progress"),
                      InstanceMethod<&CopyHandle::cancel>("cancel"),
                      InstanceMethod<&CopyHandle::set_bandwidth_limit>("setBandwidthLimit"),
                  }));
}

Napi::Value CopyHandle::start(const Napi::CallbackInfo& call) {
  return Environment::of(call.Env()).copy_class.New({call[0], call[1], call[2]});
}

CopyHandle::CopyHandle(const Napi::CallbackInfo& call) : ObjectWrap(call) {
  const Napi::Env env = call.Env();
  VolumeHandle& source = VolumeHandle::unwrap(call[0]);
  VolumeHandle& target = VolumeHandle::unwrap(call[1]);
  const CopyOptions options = copy_options(call[2].As<Napi::Object>());
  copy_ = std::make_shared<RunningCopy>(env, source, target, options);
  finished_ = Napi::Persistent(copy_->promise().As<Napi::Object>());
  Environment::of(env).add(copy_);
  copy_->start(env);
}

Napi::Value CopyHandle::finished(const Napi::CallbackInfo&) { return finished_.Value(); }

Napi::Value CopyHandle::progress(const Napi::CallbackInfo& call) {
  return copy_->progress(call.Env());
}

Napi::Value CopyHandle::cancel(const Napi::CallbackInfo& call) {
  copy_->cancel();
  return call.Env().Undefined();
}

Napi::Value CopyHandle::set_bandwidth_limit(const Napi::CallbackInfo& call) {
  copy_->set_bandwidth_limit(whole_number(call[0], "bytesPerSecond"));
  return call.Env().Undefined();
}

}  // namespace blockhaul
