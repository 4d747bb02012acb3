#include "io/reactor.h"

#include <cstdlib>
#include <thread>

#include "io/thread_reactor.h"
#include "io/uring_reactor.h"

namespace blockhaul {

void Timer::start(Reactor& reactor, Clock::time_point deadline, void (*on_expired)(void*) noexcept,
                  void* context) {
  stop();
  reactor_ = &reactor;
  on_expired_ = on_expired;
  context_ = context;
  place_ = reactor.timers_.emplace(deadline, this);
}

void Timer::stop() {
  if (reactor_ == nullptr) return;
  reactor_->timers_.erase(place_);
  reactor_ = nullptr;
}

Reactor::Reactor() = default;

Reactor::~Reactor() {
  for (auto& [deadline, timer] : timers_) timer->reactor_ = nullptr;
}

void Reactor::post(Task& task) {
  // The task may run, and end all that keeps this reactor, while wake() is still to come.
  callers_.fetch_add(1, std::memory_order_relaxed);
  Task* head = posted_.load(std::memory_order_relaxed);
  do {
    task.next = head;
  } while (!posted_.compare_exchange_weak(head, &task, std::memory_order_release,
                                          std::memory_order_relaxed));
  // Who finds the queue empty wakes the reactor; all others know that somebody did.
  if (head == nullptr) wake();
  callers_.fetch_sub(1, std::memory_order_release);
}

void Reactor::stop() {
  callers_.fetch_add(1, std::memory_order_relaxed);
  stopping_.store(true, std::memory_order_release);
  wake();
  callers_.fetch_sub(1, std::memory_order_release);
}

void Reactor::run() {
  enter();
  for (;;) {
    // Looked at before the queue is: what was queued before the stop is in there.
    const bool stopping = stopping_.load(std::memory_order_acquire);
    const bool ran = run_tasks();
    run_timers();
    if (ran) {
      // More tasks may have come; the kernel gets what they submitted all the same.
      const Clock::time_point at_once = Clock::time_point::min();
      wait(&at_once);
      continue;
    }
    if (stopping) break;
    const std::optional<Clock::time_point> deadline = next_deadline();
    wait(deadline ? &*deadline : nullptr);
  }
  stopping_.store(false, std::memory_order_relaxed);
  while (callers_.load(std::memory_order_acquire) > 0) std::this_thread::yield();
}

bool Reactor::run_tasks() {
  Task* newest = posted_.exchange(nullptr, std::memory_order_acquire);
  Task* oldest = nullptr;
  while (newest != nullptr) {
    Task* next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  const bool any = oldest != nullptr;
  while (oldest != nullptr) {
    Task& task = *oldest;
    oldest = task.next;
    task.run(task);
  }
  return any;
}

void Reactor::run_timers() {
  const Clock::time_point moment = now();
  while (!timers_.empty() && timers_.begin()->first <= moment) {
    Timer* timer = timers_.begin()->second;
    timer->stop();
    timer->on_expired_(timer->context_);
  }
}

std::optional<Clock::time_point> Reactor::next_deadline() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first;
}

Result<std::unique_ptr<Reactor>> make_reactor(ReactorKind kind, unsigned operations) {
  bool may_fall_back = false;
  if (kind == ReactorKind::automatic) {
    const char* wanted = std::getenv("BLOCKHAUL_IO");  // NOLINT(concurrency-mt-unsafe)
    const std::string_view name = wanted == nullptr ? "" : wanted;
    if (name.empty()) {
      may_fall_back = true;
      kind = ReactorKind::uring;
    } else if (name == "uring") {
      kind = ReactorKind::uring;
    } else if (name == "threads") {
      kind = ReactorKind::threads;
    } else {
      return Error{
          .number = EINVAL,
          .message = "BLOCKHAUL_IO is \"" + std::string(name) + "\": say uring or threads"};
    }
  }
  if (kind == ReactorKind::uring) {
    auto reactor = UringReactor::create(operations);
    if (reactor || !may_fall_back) return reactor;
  }
  return ThreadReactor::create(operations);
}

}  // namespace blockhaul
