#include "addon/js_bridge.h"

#include <cstring>

#include "addon/arguments.h"

namespace blockhaul {
namespace {

ExtentKind extent_kind(const std::string& name) {
  if (name == "hole") return ExtentKind::hole;
  if (name == "zero") return ExtentKind::zero;
  return ExtentKind::data;
}

std::vector<Extent> read_extents(const Napi::Value& value) {
  std::vector<Extent> extents;
  const auto list = value.As<Napi::Array>();
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const auto extent = list.Get(i).As<Napi::Object>();
    extents.push_back({number_field(extent, "offset"), number_field(extent, "length"),
                       extent_kind(string_field(extent, "kind"))});
  }
  return extents;
}

/// Never throws: in a worker that is being terminated, every look at a value does.
int errno_of(const Napi::Value& reason) noexcept {
  try {
    const Napi::Value number = reason.As<Napi::Object>().Get("errno");
    const int value = std::abs(number.As<Napi::Number>().Int32Value());
    return value == 0 ? EIO : value;
  } catch (const Napi::Error&) {
    return EIO;
  }
}

}  // namespace

std::shared_ptr<FunctionBridge> FunctionBridge::create(Napi::Env env,
                                                       const Napi::Function& dispatch) {
  std::shared_ptr<FunctionBridge> bridge(new FunctionBridge(env, dispatch));
  Environment::of(env).add(bridge);
  return bridge;
}

FunctionBridge::FunctionBridge(Napi::Env env, const Napi::Function& dispatch)
    : loop_(Environment::of(env).loop()),
      dispatch_(new Napi::FunctionReference(Napi::Persistent(dispatch))) {}

FunctionBridge::~FunctionBridge() {
  loop_->post([dispatch = dispatch_](Napi::Env) { delete dispatch; });
}

void FunctionBridge::call(std::shared_ptr<JsCall> call) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) {
      id = ++next_id_;
      calls_.emplace(id, call);
    }
  }
  if (id == 0) return call->finish(ECANCELED);
  loop_->post([self = shared_from_this(), id](Napi::Env env) { self->run(env, id); });
}

std::shared_ptr<JsCall> FunctionBridge::take(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(id);
  if (found == calls_.end()) return nullptr;
  std::shared_ptr<JsCall> call = std::move(found->second);
  calls_.erase(found);
  return call;
}

void FunctionBridge::begin_shut_down() {
  std::unordered_map<std::uint64_t, std::shared_ptr<JsCall>> open;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    open.swap(calls_);
  }
  for (auto& [id, call] : open) call->finish(ECANCELED);
}

void FunctionBridge::run(Napi::Env env, std::uint64_t id) {
  const Napi::HandleScope scope(env);
  std::shared_ptr<JsCall> call;
  {
    const std::lock_guard lock(mutex_);
    const auto found = calls_.find(id);
    if (found == calls_.end()) return;
    call = found->second;
  }
  try {
    Napi::Value buffer = env.Undefined();
    if (call->operation == Operation::read) {
      buffer = Napi::Buffer<std::uint8_t>::New(env, call->length);
    } else if (call->operation == Operation::write) {
      buffer = Napi::Buffer<std::uint8_t>::Copy(
          env, reinterpret_cast<const std::uint8_t*>(call->data.data()), call->data.size());
    }
    const Napi::Value promise =
        dispatch_->Call({Napi::String::New(env, std::string(name_of(call->operation))),
                         to_number(env, call->offset), to_number(env, call->length), buffer});
    auto self = shared_from_this();
    auto kept = std::make_shared<Napi::Reference<Napi::Value>>();
    if (!buffer.IsUndefined()) *kept = Napi::Persistent(buffer);
    const auto fulfilled =
        Napi::Function::New(env, [self, id, kept](const Napi::CallbackInfo& info) {
          self->answer(id, kept->IsEmpty() ? info.Env().Undefined() : kept->Value(), info[0]);
          kept->Reset();
        });
    const auto rejected =
        Napi::Function::New(env, [self, id, kept](const Napi::CallbackInfo& info) {
          self->refuse(id, info[0]);
          kept->Reset();
        });
    const auto object = promise.As<Napi::Object>();
    object.Get("then").As<Napi::Function>().Call(object, {fulfilled, rejected});
  } catch (const Napi::Error& error) {
    refuse(id, error.Value());
  }
}

void FunctionBridge::answer(std::uint64_t id, Napi::Value buffer, Napi::Value value) {
  const std::shared_ptr<JsCall> call = take(id);
  if (!call) return;
  int error = 0;
  try {
    if (call->operation == Operation::read) {
      const auto bytes = buffer.As<Napi::Buffer<std::uint8_t>>();
      // Shorter than it was: its memory was transferred to somebody else.
      if (bytes.Length() == call->length) {
        std::memcpy(call->data.data(), bytes.Data(), bytes.Length());
      } else {
        error = EIO;
      }
    } else if (call->operation == Operation::map) {
      call->extents = read_extents(value);
    }
  } catch (const Napi::Error&) {
    error = EIO;
  }
  call->finish(error);
}

void FunctionBridge::refuse(std::uint64_t id, Napi::Value reason) {
  const int error = errno_of(reason);
  if (const std::shared_ptr<JsCall> call = take(id)) call->finish(error);
}

}  // namespace blockhaul
