#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "io/reactor.h"

namespace blockhaul {

/// A few threads that make the blocking system calls of file operations: all of them where there is
/// no io_uring, and where there is, those that it does not know.
class OperationThreads {
 public:
  /// Tells that take_done() has something; called on one of the threads, or inside submit().
  using Notify = void (*)(void* context) noexcept;

  /// Without a thread until start(), or the first operation.
  OperationThreads(unsigned threads, Notify notify, void* context)
      : wanted_(threads), notify_(notify), context_(context) {}
  /// Does what is waiting first.
  ~OperationThreads();
  OperationThreads(const OperationThreads&) = delete;
  OperationThreads& operator=(const OperationThreads&) = delete;

  /// One thread's only, as submit(). Fewer threads than were asked for will do; fails where none
  /// can be made.
  Status start();
  /// An operation for which no thread can be made ends with -ENOSYS.
  void submit(FileOperation& operation);
  /// All that have ended since the last call, linked by `next`, each with its `result`.
  FileOperation* take_done();

 private:
  void work();
  void finish(FileOperation& operation, std::int64_t result);

  const unsigned wanted_;
  const Notify notify_;
  void* const context_;

  std::mutex mutex_;
  // Guarded by mutex_:
  std::condition_variable ready_;
  FileOperation* waiting_first_ = nullptr;
  FileOperation* waiting_last_ = nullptr;
  FileOperation* done_ = nullptr;
  bool ending_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace blockhaul
