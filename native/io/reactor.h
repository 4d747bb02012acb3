#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace blockhaul {

/// Work for a reactor's thread. The owner keeps it alive until `run` was called, which may free it.
struct Task {
  void (*run)(Task&) noexcept = nullptr;
  void* context = nullptr;
  Task* next = nullptr;  ///< the reactor's
};

/// One operation of the kernel's on a file descriptor. The owner keeps it, the descriptor and the
/// memory alive until `on_done` was called.
struct FileOperation {
  enum class Kind : std::uint8_t { read, write, allocate, sync_data };

  Kind kind = Kind::read;
  int descriptor = -1;
  int mode = 0;  ///< of `allocate`: FALLOC_FL_… flags
  std::byte* data = nullptr;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  /// Called once, on the reactor's thread, never from inside submit(). `result` is what the system
  /// call gave: a count of bytes (which may be short), 0, or a negative errno.
  void (*on_done)(FileOperation&, std::int64_t result) noexcept = nullptr;
  void* context = nullptr;

  FileOperation* next = nullptr;  ///< the reactor's
  std::int64_t result = 0;        ///< the reactor's
};

class Reactor;

using Clock = std::chrono::steady_clock;

/// Calls `on_expired` once, at or after a moment. Destroying a timer stops it.
class Timer {
 public:
  Timer() = default;
  ~Timer() { stop(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// Reactor's thread only; starts anew where it runs already.
  void start(Reactor& reactor, Clock::time_point deadline, void (*on_expired)(void*) noexcept,
             void* context);
  void stop();
  [[nodiscard]] bool running() const { return reactor_ != nullptr; }

 private:
  friend class Reactor;
  Reactor* reactor_ = nullptr;
  std::multimap<Clock::time_point, Timer*>::iterator place_;
  void (*on_expired_)(void*) noexcept = nullptr;
  void* context_ = nullptr;
};

/// One thread's event loop: file operations, timers, and tasks from other threads. Completions are
/// queued, never recursive: nothing that is submitted completes inside submit().
///
///     post(task) from any thread ──► queue ─┐
///     submit(operation) ──► kernel ─────────┼──► run(): one at a time, on one thread
///     Timer::start() ──► ordered by time ───┘
///
/// Two kinds do the same work: `io_uring`, and `threads` where io_uring is refused.
class Reactor {
 public:
  Reactor();
  virtual ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  /// Runs until stop(), on the calling thread, which from then on is the reactor's. When it comes
  /// back, nobody whose task ran is still inside post(): the reactor may be destroyed.
  void run();
  /// Any thread. What is queued before it still runs.
  void stop();

  /// Any thread. `task.run` is called on the reactor's thread.
  void post(Task& task);
  /// Reactor's thread only.
  virtual void submit(FileOperation& operation) = 0;

  /// The time that timers go by; virtual in simulations.
  [[nodiscard]] virtual Clock::time_point now() const { return Clock::now(); }
  /// "io_uring" or "threads".
  [[nodiscard]] virtual std::string_view name() const = 0;

 protected:
  /// Waits until a file operation completes, wake() is called, or `deadline` passes; then calls
  /// `on_done` of what is complete.
  virtual void wait(const Clock::time_point* deadline) = 0;
  /// Any thread: ends a wait() that is under way, or the next one.
  virtual void wake() = 0;
  /// Called at the beginning of run(), on its thread.
  virtual void enter() {}

  // What run() is made of; a simulation calls them one by one instead.

  /// Runs the tasks that are queued by now; false where none was.
  bool run_tasks();
  /// Calls the timers that are due.
  void run_timers();
  /// When the next timer is due; nothing while none runs.
  [[nodiscard]] std::optional<Clock::time_point> next_deadline() const;

 private:
  friend class Timer;

  std::atomic<Task*> posted_{nullptr};  ///< newest first
  std::atomic<bool> stopping_{false};
  std::atomic<unsigned> callers_{0};  ///< threads inside post() or stop()
  std::multimap<Clock::time_point, Timer*> timers_;
};

enum class ReactorKind : std::uint8_t {
  automatic,  ///< what BLOCKHAUL_IO says ("uring" or "threads"); else io_uring where the kernel
              ///< allows it
  uring,
  threads,
};

/// Makes a reactor. `operations` is how many file operations are in flight at the most without
/// waiting for a place. Fails with EINVAL where BLOCKHAUL_IO has no known value.
Result<std::unique_ptr<Reactor>> make_reactor(ReactorKind kind, unsigned operations);

/// Whether this process may use io_uring; if not, why. Tried anew at each call.
Status probe_uring();

}  // namespace blockhaul
