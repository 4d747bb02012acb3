#include "addon/volume_handle.h"

#include <sys/sysmacros.h>

#include "addon/arguments.h"
#include "addon/extents.h"
#include "addon/promise.h"
#include "addon/region_lock.h"
#include "addon/single_request.h"
#include "io/inode_lock.h"

namespace blockhaul {
namespace {

constexpr napi_type_tag kTag = {0x6b1f3a1d8c5e4f27, 0x9a0c2be7d4413f58};

/// A file is named by its inode too, as text: some are larger than a number of JavaScript's.
Napi::Value to_js(Napi::Env env, const FileNode& node) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("major", to_number(env, major(node.device)));
  object.Set("minor", to_number(env, minor(node.device)));
  if (!node.is_block) object.Set("inode", std::to_string(node.inode));
  return object;
}

Napi::Value to_js(Napi::Env env, const std::optional<std::vector<Watcher>>& watchers) {
  if (!watchers) return env.Null();
  Napi::Array list = Napi::Array::New(env, watchers->size());
  for (std::uint32_t i = 0; i < watchers->size(); ++i) {
    Napi::Object watcher = Napi::Object::New(env);
    watcher.Set("client", (*watchers)[i].client);
    watcher.Set("address", (*watchers)[i].address);
    watcher.Set("own", (*watchers)[i].own);
    list.Set(i, watcher);
  }
  return list;
}

}  // namespace

void VolumeHandle::define(Napi::Env env) {
  Environment::of(env).volume_class =
      Napi::Persistent(DefineClass(env, "NativeVolume",
                                   {
                                       InstanceAccessor<&VolumeHandle::info>("info"),
                                       InstanceMethod<&VolumeHandle::read>("read"),
                                       InstanceMethod<&VolumeHandle::write>("write"),
                                       InstanceMethod<&VolumeHandle::zero>("zero"),
                                       InstanceMethod<&VolumeHandle::flush>("flush"),
                                       InstanceMethod<&VolumeHandle::map>("map"),
                                       InstanceMethod<&VolumeHandle::watchers>("watchers"),
                                       InstanceMethod<&VolumeHandle::writers_at_once>("writers"),
                                       InstanceMethod<&VolumeHandle::lock>("lock"),
                                       InstanceMethod<&VolumeHandle::close>("close"),
                                   }));
}

Napi::Object VolumeHandle::wrap(Napi::Env env, std::shared_ptr<Volume> volume) {
  Napi::Object object = Environment::of(env).volume_class.New(
      {Napi::External<std::shared_ptr<Volume>>::New(env, &volume)});
  object.TypeTag(&kTag);
  return object;
}

VolumeHandle& VolumeHandle::unwrap(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag)) {
    throw Napi::TypeError::New(value.Env(), "not a volume of blockhaul's");
  }
  return *Napi::ObjectWrap<VolumeHandle>::Unwrap(value.As<Napi::Object>());
}

VolumeHandle::VolumeHandle(const Napi::CallbackInfo& call) : ObjectWrap(call) {
  if (!call[0].IsExternal()) {
    throw Napi::TypeError::New(call.Env(), "volumes are opened, not constructed");
  }
  volume_ = *call[0].As<Napi::External<std::shared_ptr<Volume>>>().Data();
  name_ = volume_->info().name;
}

/// A handle that was forgotten: closing may take a while, and must not hold up the collector.
void VolumeHandle::Finalize(Napi::BasicEnv) {
  if (volume_) run_in_background([volume = std::move(volume_)]() mutable { volume.reset(); });
}

std::shared_ptr<Volume> VolumeHandle::open_volume(Napi::Env env, Operation operation) const {
  if (volume_ && !closing_) return volume_;
  const Error closed{.number = EBADF,
                     .message = "the volume is closed",
                     .code = "ERR_VOLUME_CLOSED",
                     .operation = operation};
  throw Napi::Error(env, blockhaul::to_js(env, closed, name_));
}

Napi::Value VolumeHandle::info(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  const auto volume = open_volume(env, Operation::open);
  const VolumeInfo& info = volume->info();
  Napi::Object object = Napi::Object::New(env);
  object.Set("kind", info.kind);
  object.Set("name", info.name);
  object.Set("identity", info.identity);
  object.Set("medium", info.medium.empty() ? info.identity : info.medium);
  object.Set("mediumOffset", to_number(env, info.medium_offset));
  if (info.node) object.Set("node", to_js(env, *info.node));
  object.Set("size", to_number(env, info.size));
  object.Set("blockSize", to_number(env, info.block_size));
  object.Set("preferredSize", to_number(env, info.preferred_size));
  object.Set("zeroState", std::string(name_of(volume->zero_state())));
  object.Set("readOnly", info.read_only);
  object.Set("snapshot", info.snapshot);
  object.Set("direct", info.direct);
  object.Set("mapsExtents", info.maps_extents);
  object.Set("zeroes", info.zeroes);
  return object;
}

Napi::Value VolumeHandle::read(const Napi::CallbackInfo& call) {
  return transfer(call, Operation::read);
}

Napi::Value VolumeHandle::write(const Napi::CallbackInfo& call) {
  return transfer(call, Operation::write);
}

Napi::Value VolumeHandle::transfer(const Napi::CallbackInfo& call, Operation operation) {
  if (!call[0].IsTypedArray()) throw Napi::TypeError::New(call.Env(), "buffer is not a Uint8Array");
  const auto buffer = call[0].As<Napi::Uint8Array>();
  SingleRequest request;
  request.operation = operation;
  request.offset = whole_number(call[1], "position");
  request.length = buffer.ByteLength();
  request.buffer = buffer;
  return start_request(call.Env(), *this, request);
}

Napi::Value VolumeHandle::zero(const Napi::CallbackInfo& call) {
  SingleRequest request;
  request.operation = Operation::zero;
  request.offset = whole_number(call[0], "position");
  request.length = whole_number(call[1], "length");
  return start_request(call.Env(), *this, request);
}

Napi::Value VolumeHandle::flush(const Napi::CallbackInfo& call) {
  SingleRequest request;
  request.operation = Operation::flush;
  return start_request(call.Env(), *this, request);
}

Napi::Value VolumeHandle::map(const Napi::CallbackInfo& call) {
  const std::uint64_t offset = whole_number(call[0], "position");
  const std::uint64_t length = whole_number(call[1], "length");
  auto volume = open_volume(call.Env(), Operation::map);
  return promise_of<std::vector<Extent>>(
      call.Env(), name_, [=] { return volume->map(offset, length); },
      [](Napi::Env env, std::vector<Extent>& extents) { return to_js(env, extents); });
}

Napi::Value VolumeHandle::watchers(const Napi::CallbackInfo& call) {
  auto volume = open_volume(call.Env(), Operation::open);
  return promise_of<std::optional<std::vector<Watcher>>>(
      call.Env(), name_, [=] { return volume->watchers(); },
      [](Napi::Env env, std::optional<std::vector<Watcher>>& found) { return to_js(env, found); });
}

Napi::Value VolumeHandle::writers_at_once(const Napi::CallbackInfo& call) {
  const Writers found = open_volume(call.Env(), Operation::open)->writers();
  return Napi::String::New(call.Env(), std::string(name_of(found)));
}

/// lock(exclusive): what came of it, with a handle of what is locked; null: nothing can be locked.
Napi::Value VolumeHandle::lock(const Napi::CallbackInfo& call) {
  const bool alone = call[0].ToBoolean().Value();
  auto volume = open_volume(call.Env(), Operation::open);
  // On a thread of its own: over NFS, a server is asked.
  return promise_of<std::shared_ptr<InodeLock>>(
      call.Env(), name_,
      [=]() -> Result<std::shared_ptr<InodeLock>> {
        auto opened = volume->open_again(alone);
        if (!opened) return opened.error();
        if (!opened.value()) return std::shared_ptr<InodeLock>();
        const LockMode mode = alone ? LockMode::exclusive : LockMode::shared;
        auto taken = InodeLock::take(std::move(opened.value()), mode);
        if (!taken) return taken.error();
        return std::make_shared<InodeLock>(std::move(taken.value()));
      },
      [](Napi::Env env, std::shared_ptr<InodeLock>& taken) -> Napi::Value {
        if (!taken) return env.Null();
        Napi::Object answer = Napi::Object::New(env);
        answer.Set("state", std::string(name_of(taken->state)));
        answer.Set("errno", to_number(env, static_cast<std::uint64_t>(taken->error)));
        if (taken->lock) answer.Set("lock", RegionLockHandle::wrap(env, std::move(taken->lock)));
        return answer;
      });
}

Napi::Value VolumeHandle::close(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  if (!closing_ && abandoned_ > 0) {
    Error hangs = Error::from_errno(ETIMEDOUT, Operation::close, "requests to it still hang");
    OpenPromise refused(env);
    refused.reject(to_js(env, hangs, name_));
    return refused.promise();
  }
  if (!closing_) {
    closing_ = true;
    closed_ = std::make_unique<OpenPromise>(env);
    close_promise_ = Napi::Persistent(closed_->promise().As<Napi::Object>());
    Ref();
    if (in_use_ == 0) release(env);
  }
  return close_promise_.Value();
}

void VolumeHandle::end(Napi::Env env) {
  if (--in_use_ == 0 && closing_) release(env);
}

/// Gives the volume up, on a thread of its own: librbd's close talks to the cluster.
void VolumeHandle::release(Napi::Env env) {
  const std::shared_ptr<JsLoop> loop = closed_->loop();
  const auto done = [this](Napi::Env js) {
    closed_->resolve(js.Undefined());
    Unref();
  };
  const bool started = run_in_background([loop, done, volume = std::move(volume_)]() mutable {
    volume.reset();
    loop->post(done);
  });
  if (!started) done(env);
}

}  // namespace blockhaul
