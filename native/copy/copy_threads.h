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
  struct Ends {
    std::shared_ptr<Volume> source;
    std::shared_ptr<Volume> target;
    std::shared_ptr<Journal> journal;  ///< may be null
  };

  /// `on_finished` is called once, on a thread of the copy's, when all other threads of it have
  /// ended and no request is in flight; of an abandoned copy, before that, and `on_drained` then
  /// tells when it is so. Fails where no reactor can be made.
  static Result<std::unique_ptr<CopyThreads>> start(Ends ends, const CopyOptions& options,
                                                    CopyJob::OnFinished on_finished,
                                                    std::function<void()> on_drained = {});
  /// Cancels what still runs and waits for its end. Not from within a callback, and not of an
  /// abandoned copy that is not drained: that may take for ever.
  ~CopyThreads();

  [[nodiscard]] CopyJob& job() { return *job_; }
  /// "io_uring" or "threads".
  [[nodiscard]] std::string_view io() const { return reactors_.front()->name(); }

 private:
  CopyThreads() = default;
  void supervise();
  void end_mapping(CopyOutcome& outcome);

  Ends ends_;
  std::vector<std::unique_ptr<Reactor>> reactors_;
  std::unique_ptr<CopyJob> job_;
  CopyJob::OnFinished on_finished_;
  std::function<void()> on_drained_;
  std::atomic<bool> ended_{false};
  std::thread supervisor_;
};

}  // namespace blockhaul
