#include "addon/copy_handle.h"

#include "addon/arguments.h"
#include "addon/journal_handle.h"
#include "addon/running_copy.h"
#include "addon/volume_handle.h"

namespace blockhaul {
namespace {

std::chrono::nanoseconds milliseconds_field(const Napi::Object& object, const char* name) {
  return std::chrono::milliseconds(number_field(object, name));
}

CopyOptions copy_options(const Napi::Object& object) {
  CopyOptions options;
  options.size = number_field(object, "size");
  options.request_size = number_field(object, "requestSize");
  options.requests = static_cast<std::uint32_t>(number_field(object, "requests"));
  options.memory = number_field(object, "memory");
  options.lanes = static_cast<std::uint32_t>(number_field(object, "threads"));
  options.use_extents = bool_field(object, "useExtents", true);
  options.digest = digest_field(object, "digest");
  options.begin = number_field(object, "begin");
  options.end = number_field(object, "end");
  options.bandwidth_limit = number_field(object, "bandwidthLimit");
  options.iops_limit = number_field(object, "iopsLimit");
  options.retries = static_cast<std::uint32_t>(number_field(object, "retries"));
  options.salvage = bool_field(object, "salvage", false);
  options.checkpoint_interval = milliseconds_field(object, "checkpointMs");
  options.request_timeout = milliseconds_field(object, "requestTimeoutMs");
  options.stall_limit = milliseconds_field(object, "stallLimitMs");
  const auto is_boundary = [&](std::uint64_t position) {
    return position % kChunk == 0 || position == options.size;
  };
  const bool ranges = is_boundary(options.begin) && options.begin <= options.last() &&
                      options.last() <= options.size && is_boundary(options.last());
  const bool fits = ranges && is_power_of_two(options.request_size) &&
                    options.request_size >= kLeaf && options.request_size <= kChunk &&
                    options.requests >= 1 && options.lanes >= 1;
  if (!fits)
    throw Napi::TypeError::New(object.Env(),
                               "range, requestSize, requests or threads out of range");
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
                      InstanceMethod<&CopyHandle::set_iops_limit>("setIopsLimit"),
                      InstanceMethod<&CopyHandle::set_paused>("setPaused"),
                  }));
}

Napi::Value CopyHandle::start(const Napi::CallbackInfo& call) {
  return Environment::of(call.Env()).copy_class.New({call[0], call[1], call[2], call[3]});
}

CopyHandle::CopyHandle(const Napi::CallbackInfo& call) : ObjectWrap(call) {
  const Napi::Env env = call.Env();
  VolumeHandle& source = VolumeHandle::unwrap(call[0]);
  VolumeHandle& target = VolumeHandle::unwrap(call[1]);
  const CopyOptions options = copy_options(call[2].As<Napi::Object>());
  std::shared_ptr<Journal> journal;
  if (!call[3].IsUndefined()) journal = JournalHandle::unwrap(call[3]);
  copy_ = std::make_shared<RunningCopy>(env, source, target, std::move(journal), options);
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

Napi::Value CopyHandle::set_iops_limit(const Napi::CallbackInfo& call) {
  copy_->set_iops_limit(whole_number(call[0], "perSecond"));
  return call.Env().Undefined();
}

Napi::Value CopyHandle::set_paused(const Napi::CallbackInfo& call) {
  copy_->set_paused(call[0].ToBoolean());
  return call.Env().Undefined();
}

}  // namespace blockhaul
