#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "copy/copy_options.h"
#include "copy/extent_ahead.h"
#include "copy/planner.h"
#include "copy/progress.h"
#include "copy/rate_limit.h"
#include "core/digest.h"
#include "core/page_memory.h"

namespace blockhaul {

class CopyLane;

struct CopyOutcome {
  std::optional<Error> error;  ///< nothing: the target holds the source's bytes, and was flushed
  std::string digest;          ///< hexadecimal; "" without success or with DigestKind::none
  std::uint64_t map_failures = 0;
};

/// Copies one volume onto another.
///
///                 ┌─────────────── cancel(), or the first error ───────────────┐
///                 │                                                            ▼
///     start() ─► copying ── every lane idle, nothing left to plan ─► flushing ─► done
///                 │                                                   │
///                 └──► draining ── every lane idle ──► failed ◄───────┘ flush failed
///                                                 └──► cancelled
///
/// The job is what the lanes share: the planner, the digest, the counters, the first error. Each
/// lane lives on one reactor, which its thread runs (CopyThreads), or a simulation. The outcome
/// comes once, on a reactor's thread, when no request of the copy is in flight any more.
class CopyJob {
 public:
  /// `lanes` reactors, all of which outlive the job. The volumes do too.
  CopyJob(Volume& source, Volume& target, const CopyOptions& options, ExtentAhead::Mode map_mode);
  ~CopyJob();
  CopyJob(const CopyJob&) = delete;
  CopyJob& operator=(const CopyJob&) = delete;

  /// Allocates the buffers and starts a lane on each reactor; options.lanes is reactors.size().
  /// After a failure the job cannot be started again. Blocks where the target is to be looked at
  /// first (Volume::confirm_zero), so never on a reactor's thread; a cancel ends that.
  Status start(const std::vector<Reactor*>& reactors, std::function<void(CopyOutcome)> on_finished);

  /// Any thread, at any time, as often as one likes. What is in flight is waited for.
  void cancel();
  /// Ends the map's thread, after the outcome came; waits for a query that cannot be interrupted.
  void end_mapping() { extents_.stop(); }
  /// Any thread. Bytes a second; 0: no limit.
  void set_bandwidth_limit(std::uint64_t bytes_per_second);

  [[nodiscard]] const Progress& progress() const { return progress_; }
  [[nodiscard]] const CopyOptions& options() const { return options_; }

 private:
  friend class CopyLane;

  // What lanes call:
  void stop_with(Error error);
  [[nodiscard]] bool stopping() const { return stopping_.load(std::memory_order_acquire); }
  void note_leaves(std::uint64_t offset, const std::vector<DigestValue>& leaves);
  void note_zeros(std::uint64_t offset, std::uint64_t length);
  void lane_idle(CopyLane& lane);

  void wake_lanes();
  void flush_target(Reactor& reactor);
  void finish();

  Volume& source_;
  Volume& target_;
  const CopyOptions options_;
  bool skips_zeros_;  ///< the target is proven to be zero; fixed before the lanes begin
  Progress progress_;
  RateLimit rate_limit_;
  ExtentAhead extents_;
  Planner planner_;
  std::optional<PageMemory> zeros_;  ///< one request of zeros, written where the target cannot zero
  Request flush_{};
  std::function<void(CopyOutcome)> on_finished_;
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;
  // Guarded by mutex_:
  std::vector<std::unique_ptr<CopyLane>> lanes_;  ///< empty until start()
  std::unique_ptr<VolumeDigest> digest_;
  std::optional<Error> first_error_;
  unsigned lanes_at_work_ = 0;
};

}  // namespace blockhaul
