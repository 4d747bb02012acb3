#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "core/result.h"

namespace blockhaul {

/// How whoever waits for a long call sees that it gets on: the call beats whenever it has done a
/// part.
class Pulse {
 public:
  void beat() { beats_.fetch_add(1, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t beats() const { return beats_.load(std::memory_order_relaxed); }

  void give_up() { is_given_up_.store(true); }
  /// Nobody waits any more: what has not been begun is not to be begun.
  [[nodiscard]] bool is_given_up() const { return is_given_up_.load(); }

 private:
  std::atomic<std::uint64_t> beats_{0};
  std::atomic<bool> is_given_up_{false};
};

/// Makes a blocking call that may never return, and waits for it no longer than `limit` (0: for
/// ever), or, with a pulse, than `limit` without a beat, and twice that at the most. If it is too
/// late, the answer is nothing, and what the call still brings is given to `discard`, on the call's
/// own thread, whenever that may be.
template <typename T>
std::optional<Result<T>> call_within(std::chrono::seconds limit, std::function<Result<T>()> call,
                                     std::function<void(Result<T>)> discard,
                                     std::shared_ptr<Pulse> pulse = nullptr) {
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
    const auto beats = [&] { return pulse ? pulse->beats() : 0; };
    std::uint64_t seen = beats();
    while (!shared->changed.wait_for(lock, limit, [&] { return shared->result.has_value(); })) {
      const std::uint64_t now = beats();
      if (now == seen) break;
      seen = now;
    }
    shared->given_up = !shared->result.has_value();
  }
  if (shared->given_up) {
    if (pulse) pulse->give_up();
    thread.detach();
    return std::nullopt;
  }
  thread.join();
  return std::move(shared->result);
}

}  // namespace blockhaul
