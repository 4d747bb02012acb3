#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "core/result.h"

namespace blockhaul {

/// Makes a blocking call that may never return, and waits for it no longer than `limit` (0: for
/// ever). If it is too late, the answer is nothing, and what the call still brings is given to
/// `discard`, on the call's own thread, whenever that may be.
template <typename T>
std::optional<Result<T>> call_within(std::chrono::seconds limit, std::function<Result<T>()> call,
                                     std::function<void(Result<T>)> discard) {
  if (limit.count() <= 0) return call();

  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    // Guarded by mutex:
    std::optional<Result<T>> result;
    bool given_up = false;
  };
  auto shared = std::make_shared<Shared>();
  std::thread thread;
  try {
    thread = std::thread([shared, call = std::move(call), discard = std::move(discard)] {
      Result<T> result = call();
      std::unique_lock lock(shared->mutex);
      if (shared->given_up) {
        lock.unlock();
        discard(std::move(result));
        return;
      }
      shared->result.emplace(std::move(result));
      shared->changed.notify_one();
    });
  } catch (const std::system_error& error) {
    return Result<T>(Error::from_errno(error.code().value(), Operation::open, "thread"));
  }
  {
    std::unique_lock lock(shared->mutex);
    shared->changed.wait_for(lock, limit, [&] { return shared->result.has_value(); });
    shared->given_up = !shared->result.has_value();
  }
  if (shared->given_up) {
    thread.detach();
    return std::nullopt;
  }
  thread.join();
  return std::move(shared->result);
}

}  // namespace blockhaul
