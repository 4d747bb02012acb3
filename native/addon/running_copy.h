#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "addon/environment.h"
#include "addon/promise.h"
#include "copy/copy_threads.h"

namespace blockhaul {

class VolumeHandle;

/// A copy that JavaScript started: its threads, and the promise of its report. It keeps itself,
/// both volumes and the process alive until it has ended; a copy that nobody looks at goes on all
/// the same. One that is abandoned keeps itself and its volumes until nothing of it hangs any more,
/// but not the process.
class RunningCopy final : public ShutDown, public std::enable_shared_from_this<RunningCopy> {
 public:
  /// `journal` may be null.
  RunningCopy(Napi::Env env, VolumeHandle& source, VolumeHandle& target,
              std::shared_ptr<Journal> journal, const CopyOptions& options);

  /// Starts the threads; a failure to do so rejects the promise.
  void start(Napi::Env env);

  [[nodiscard]] Napi::Promise promise() const { return open_.promise(); }
  [[nodiscard]] Napi::Object progress(Napi::Env env) const;
  void cancel();
  void set_bandwidth_limit(std::uint64_t bytes_per_second);
  void set_iops_limit(std::uint64_t pieces_per_second);
  void set_paused(bool paused);

  void begin_shut_down() override;
  void await_shut_down() override;

 private:
  struct Counters {
    CopyState state = CopyState::failed;
    std::uint64_t read = 0;
    std::uint64_t written = 0;
    std::uint64_t zeroed = 0;
    std::uint64_t skipped = 0;
    std::uint64_t retries = 0;
    double elapsed_ms = 0;
  };

  [[nodiscard]] Counters count() const;
  void ended(Napi::Env env, const CopyOutcome& outcome);
  void drained(Napi::Env env);
  [[nodiscard]] Napi::Object report(Napi::Env env, const CopyOutcome& outcome) const;

  VolumeHandle& source_handle_;
  VolumeHandle& target_handle_;
  Napi::ObjectReference kept_source_;
  Napi::ObjectReference kept_target_;
  std::shared_ptr<Volume> source_;
  std::shared_ptr<Volume> target_;
  std::shared_ptr<Journal> journal_;
  OpenPromise open_;  ///< behind all that may throw: a promise made must be settled
  std::shared_ptr<RunningCopy> self_;  ///< until it has ended
  std::unique_ptr<CopyThreads> threads_;
  CopyOptions options_;
  Clock::time_point began_ = Clock::now();
  bool abandoned_ = false;        ///< and something still hangs
  std::optional<Counters> last_;  ///< once it has ended: its threads and buffers are gone then
};

}  // namespace blockhaul
