#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "io/reactor.h"

namespace blockhaul {

/// The reactor without io_uring: a few threads make the blocking system calls.
class ThreadReactor final : public Reactor {
 public:
  static Result<std::unique_ptr<Reactor>> create(unsigned operations);
  ~ThreadReactor() override;

  void submit(FileOperation& operation) override;
  [[nodiscard]] std::string_view name() const override { return "threads"; }

 protected:
  void wait(const Clock::time_point* deadline) override;
  void wake() override;

 private:
  explicit ThreadReactor(unsigned workers);
  void work();

  std::mutex mutex_;
  // Guarded by mutex_:
  std::condition_variable work_ready_;
  std::condition_variable reactor_ready_;
  FileOperation* waiting_first_ = nullptr;
  FileOperation* waiting_last_ = nullptr;
  FileOperation* done_ = nullptr;
  bool woken_ = false;
  bool ending_ = false;

  std::vector<std::thread> workers_;
};

}  // namespace blockhaul
