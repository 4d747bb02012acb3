#include "addon/environment.h"

#include <algorithm>

namespace blockhaul {
namespace {

constexpr unsigned kSingleRequests = 64;

}  // namespace

void Environment::attach(Napi::Env env) {
  auto* environment = new Environment(env);
  env.SetInstanceData(environment);
  // Hooks run last in, first out: this one before the loop's own, while threads can still post.
  env.AddCleanupHook([](Environment* self) { self->shut_down(); }, environment);
}

Environment& Environment::of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

Environment::Environment(Napi::Env env) : loop_(JsLoop::create(env)) {}

Result<Reactor*> Environment::reactor() {
  if (!reactor_) {
    auto made = ReactorThread::start(ReactorKind::automatic, kSingleRequests);
    if (!made) return made.error();
    reactor_ = std::move(made.value());
  }
  return &reactor_->reactor();
}

void Environment::add(std::weak_ptr<ShutDown> part) {
  std::erase_if(parts_, [](const auto& known) { return known.expired(); });
  parts_.push_back(std::move(part));
}

void Environment::request_ended() {
  --requests_;
  requests_.notify_all();
}

void Environment::shut_down() {
  std::vector<std::shared_ptr<ShutDown>> parts;
  for (const auto& part : parts_) {
    if (auto alive = part.lock()) parts.push_back(std::move(alive));
  }
  for (const auto& part : parts) part->begin_shut_down();
  for (const auto& part : parts) part->await_shut_down();
  for (unsigned left = requests_; left > 0; left = requests_) requests_.wait(left);
  reactor_.reset();
  loop_->close();
}

}  // namespace blockhaul
