#include "addon/single_request.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "addon/promise.h"
#include "addon/volume_handle.h"
#include "core/page_memory.h"
#include "core/units.h"

namespace blockhaul {
namespace {

constexpr std::uint64_t kZerosAtOnce = 1 * kMiB;

/// What a request holds while it is under way. Its references to JavaScript are made and dropped on
/// JavaScript's thread; its request lives on the reactor's.
struct PendingRequest {
  PendingRequest(Napi::Env env, VolumeHandle& owner)
      : open(env), environment(Environment::of(env)), handle(owner) {}

  OpenPromise open;
  Environment& environment;
  VolumeHandle& handle;
  std::shared_ptr<Volume> volume;
  std::string name;
  Reactor* reactor = nullptr;
  Napi::ObjectReference kept_handle;
  Napi::ObjectReference target;  ///< of a read: JavaScript's buffer
  Task start{};
  Request request{};
  /// What the volume reads into or writes from, never JavaScript's own memory: that can be
  /// transferred to a worker and freed while a request is under way.
  std::optional<PageMemory> memory;
  std::uint64_t end = 0;  ///< of a zero that is being written
};

/// False where JavaScript has given its buffer away meanwhile.
bool bring_to_target(const PendingRequest& pending) {
  auto buffer = pending.target.Value().As<Napi::Uint8Array>();
  if (buffer.ByteLength() != pending.request.length) return false;
  std::memcpy(buffer.Data(), pending.memory->bytes().data(), buffer.ByteLength());
  return true;
}

void settle(Napi::Env env, PendingRequest* pending) {
  const std::unique_ptr<PendingRequest> owned(pending);
  Request& request = pending->request;
  if (request.error == 0 && !pending->target.IsEmpty() && !bring_to_target(*pending)) {
    request.error = EFAULT;
  }
  if (request.error == 0) {
    pending->open.resolve(env.Undefined());
  } else {
    Error error = Error::from_errno(request.error, request.operation);
    if (request.operation != Operation::flush)
      error.offset = static_cast<std::int64_t>(request.offset);
    pending->open.reject(to_js(env, error, pending->name));
  }
  pending->handle.end(env);
}

void request_done(Request& request) noexcept;

/// Writes zeros, piece by piece, where the volume has no way to make them.
bool write_zeros(PendingRequest& pending) {
  Request& request = pending.request;
  if (request.operation == Operation::zero) {
    if (request.error != ENOTSUP) return false;
    Result<PageMemory> zeros = PageMemory::create(kZerosAtOnce);
    if (!zeros) {
      request.error = zeros.error().number;
      return false;
    }
    pending.memory = std::move(zeros.value());
    pending.end = request.offset + request.length;
    request.operation = Operation::write;
    request.length = 0;
  } else if (pending.end == 0 || request.error != 0) {
    return false;
  }
  request.offset += request.length;
  request.length = std::min(kZerosAtOnce, pending.end - request.offset);
  if (request.length == 0) return false;
  request.data = pending.memory->bytes().first(request.length);
  pending.volume->submit(*pending.reactor, request);
  return true;
}

void request_done(Request& request) noexcept {
  auto* pending = static_cast<PendingRequest*>(request.context);
  if (write_zeros(*pending)) return;
  Environment& environment = pending->environment;
  pending->volume.reset();  // the handle, which is kept, has it too
  // Where the environment is going, JavaScript never hears of it, and what is pending stays: its
  // references may only be dropped on a thread that is gone.
  pending->open.loop()->post([pending](Napi::Env env) { settle(env, pending); });
  environment.request_ended();
}

}  // namespace

Napi::Value start_request(Napi::Env env, VolumeHandle& handle, const SingleRequest& single) {
  auto volume = handle.open_volume(env, single.operation);
  Environment& environment = Environment::of(env);
  Result<Reactor*> reactor = environment.reactor();
  if (!reactor) throw Napi::Error(env, to_js(env, reactor.error()));

  std::optional<PageMemory> memory;
  if (single.length > 0 && !single.buffer.IsEmpty()) {
    Result<PageMemory> made = PageMemory::create(single.length);
    if (!made) throw Napi::Error(env, to_js(env, made.error(), volume->info().name));
    memory = std::move(made.value());
  }
  auto* pending = new PendingRequest(env, handle);
  const Napi::Promise promise = pending->open.promise();
  if (single.operation == Operation::write) volume->begin_writing();
  handle.begin();
  environment.request_begins();
  pending->name = volume->info().name;
  pending->volume = std::move(volume);
  pending->reactor = reactor.value();
  pending->kept_handle = Napi::Persistent(handle.Value());
  Request& request = pending->request;
  request.operation = single.operation;
  request.offset = single.offset;
  request.length = single.length;
  if (memory) {
    request.data = memory->bytes().first(request.length);
    if (single.operation == Operation::write) {
      std::memcpy(request.data.data(), single.buffer.Data(), request.length);
    } else {
      pending->target = Napi::Persistent(static_cast<const Napi::Object&>(single.buffer));
    }
    pending->memory = std::move(memory);
  }
  request.context = pending;
  request.on_done = request_done;
  pending->start.context = pending;
  pending->start.run = [](Task& task) noexcept {
    auto& begun = *static_cast<PendingRequest*>(task.context);
    begun.volume->submit(*begun.reactor, begun.request);
  };
  pending->reactor->post(pending->start);
  return promise;
}

}  // namespace blockhaul
