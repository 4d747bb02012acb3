#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "copy/copy_job.h"

namespace blockhaul {

/// Runs a copy on threads of its own: one a lane, and one that starts them and takes them down.
class CopyThreads {
 public:
  /// `on_finished` is called once, on a thread of the copy's, when all other threads of it have
  /// ended and no request is in flight. Fails where no reactor can be made.
  static Result<std::unique_ptr<CopyThreads>> start(std::shared_ptr<Volume> source,
                                                    std::shared_ptr<Volume> target,
                                                    const CopyOptions& options,
                                                    std::function<void(CopyOutcome)> on_finished);
  /// Cancels what still runs and waits for its end. Not from within `on_finished`.
  ~CopyThreads();

  [[nodiscard]] CopyJob& job() { return *job_; }
  /// "io_uring" or "threads".
  [[nodiscard]] std::string_view io() const { return reactors_.front()->name(); }

 private:
  CopyThreads() = default;
  void supervise();

  std::shared_ptr<Volume> source_;
  std::shared_ptr<Volume> target_;
  std::vector<std::unique_ptr<Reactor>> reactors_;
  std::unique_ptr<CopyJob> job_;
  std::function<void(CopyOutcome)> on_finished_;
  std::atomic<bool> ended_{false};
  std::thread supervisor_;
};

}  // namespace blockhaul
