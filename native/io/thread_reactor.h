#pragma once

#include <condition_variable>
#include <mutex>

#include "io/operation_threads.h"
#include "io/reactor.h"

namespace blockhaul {

/// The reactor without io_uring: a few threads make the blocking system calls.
class ThreadReactor final : public Reactor {
 public:
  static Result<std::unique_ptr<Reactor>> create(unsigned operations);

  void submit(FileOperation& operation) override { threads_.submit(operation); }
  [[nodiscard]] std::string_view name() const override { return "threads"; }

 protected:
  void wait(const Clock::time_point* deadline) override;
  void wake() override;

 private:
  explicit ThreadReactor(unsigned workers) : threads_(workers, notify, this) {}
  static void notify(void* reactor) noexcept { static_cast<ThreadReactor*>(reactor)->wake(); }

  std::mutex mutex_;
  std::condition_variable ready_;
  bool woken_ = false;  ///< guarded by mutex_

  OperationThreads threads_;
};

}  // namespace blockhaul
