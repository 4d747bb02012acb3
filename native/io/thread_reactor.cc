#include "io/thread_reactor.h"

#include <algorithm>

namespace blockhaul {

Result<std::unique_ptr<Reactor>> ThreadReactor::create(unsigned operations) {
  std::unique_ptr<ThreadReactor> reactor(new ThreadReactor(std::clamp(operations, 1U, 16U)));
  if (Status started = reactor->threads_.start(); !started) return started.error();
  return std::unique_ptr<Reactor>(std::move(reactor));
}

void ThreadReactor::wake() {
  // Told under the lock: who was woken may destroy the reactor as soon as it has that.
  const std::lock_guard lock(mutex_);
  woken_ = true;
  ready_.notify_one();
}

void ThreadReactor::wait(const Clock::time_point* deadline) {
  {
    std::unique_lock lock(mutex_);
    const auto ready = [this] { return woken_; };
    if (deadline == nullptr) {
      ready_.wait(lock, ready);
    } else if (*deadline > now()) {
      ready_.wait_until(lock, *deadline, ready);
    }
    woken_ = false;
  }
  FileOperation* done = threads_.take_done();
  while (done != nullptr) {
    FileOperation& operation = *done;
    done = operation.next;
    operation.on_done(operation, operation.result);
  }
}

}  // namespace blockhaul
