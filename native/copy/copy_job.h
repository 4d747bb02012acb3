#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "copy/checkpointer.h"
#include "copy/copy_options.h"
#include "copy/extent_ahead.h"
#include "copy/journal.h"
#include "copy/planner.h"
#include "copy/progress.h"
#include "copy/rate_limit.h"
#include "core/digest.h"
#include "core/page_memory.h"
#include "core/range.h"

namespace blockhaul {

class CopyLane;

struct CopyOutcome {
  std::optional<Error> error;  ///< nothing: the target holds the source's bytes, and was flushed
  std::string digest;          ///< hexadecimal; "" where the whole volume's is not known
  std::uint64_t map_failures = 0;
  std::vector<Range> bad;  ///< what this run could not read and made zero
  /// Something hangs, and may still read or write: on_drained comes when it does not any more.
  bool abandoned = false;
};

/// Copies a range of one volume onto another.
///
///                 ┌──────── cancel(), the first error, a deadline ────────┐
///                 │                                                       ▼
///     start() ─► copying ── every lane idle, nothing left to plan ─► flushing ─► done
///                 │  ▲                                                │
///                 │  └── checkpoint: flush, journal (Checkpointer)    │ flush failed
///                 │                                                   ▼
///                 └──► draining ── every lane idle ──► last checkpoint, unless the target failed
///                         │                                  └──► failed, cancelled
///                         └── what is left is past its deadline ──► failed, abandoned … drained
///
/// The job is what the lanes share: the planner, the digest, the counters, the first error. Each
/// lane lives on one reactor, which its thread runs (CopyThreads), or a simulation. Checkpoints,
/// limits of time and the end are conducted on the first lane's. The outcome comes once, on that
/// thread, when no request of the copy is in flight any more, or none that is within its deadline.
class CopyJob {
 public:
  using OnFinished = std::function<void(CopyOutcome)>;

  /// `lanes` reactors, all of which outlive the job. The volumes do too, and the journal, which may
  /// be null; its frontier is where the copy begins.
  CopyJob(Volume& source, Volume& target, Journal* journal, const CopyOptions& options,
          ExtentAhead::Mode map_mode);
  ~CopyJob();
  CopyJob(const CopyJob&) = delete;
  CopyJob& operator=(const CopyJob&) = delete;

  /// Allocates the buffers and starts a lane on each reactor; options.lanes is reactors.size().
  /// After a failure the job cannot be started again. Blocks where the target is to be looked at
  /// first (Volume::confirm_zero) or a journal to be read, so never on a reactor's thread; a cancel
  /// ends that. `on_drained` is called only after an abandoned outcome.
  Status start(const std::vector<Reactor*>& reactors, OnFinished on_finished,
               std::function<void()> on_drained = {});

  /// Any thread, at any time, as often as one likes. What is in flight is waited for.
  void cancel();
  /// Ends the map's thread, after the outcome came; waits for a query that cannot be interrupted.
  void end_mapping() { extents_.stop(); }
  /// The same, but no longer than `limit`; false: it hangs.
  [[nodiscard]] bool end_mapping_within(std::chrono::milliseconds limit) {
    return extents_.stop_within(limit);
  }
  /// Any thread. Bytes a second; 0: no limit.
  void set_bandwidth_limit(std::uint64_t bytes_per_second);
  /// Any thread. Pieces a second; 0: no limit.
  void set_iops_limit(std::uint64_t pieces_per_second);
  /// Any thread. While it is paused, nothing new is begun; what is finished is recorded.
  void set_paused(bool paused);

  [[nodiscard]] const Progress& progress() const { return progress_; }
  [[nodiscard]] const CopyOptions& options() const { return options_; }

 private:
  friend class CopyLane;

  // What lanes call:
  void stop_with(Error error);
  [[nodiscard]] bool stopping() const { return stopping_.load(std::memory_order_acquire); }
  [[nodiscard]] bool paused() const { return paused_.load(std::memory_order_acquire); }
  /// Nothing moved for so long that all in flight counts as hung.
  [[nodiscard]] bool stalled() const { return stalled_.load(std::memory_order_acquire); }
  void note_leaves(std::uint64_t offset, const std::vector<DigestValue>& leaves);
  void note_zeros(std::uint64_t offset, std::uint64_t length);
  void note_bad(Range range);
  void piece_finished(const Piece& piece);
  void lane_idle();
  void lane_hangs();
  void lane_hangs_no_more();

  // What happens on the first lane's reactor:
  void tick();
  void look_for_stall(Clock::time_point now);
  [[nodiscard]] bool checkpoint_is_overdue(Clock::time_point now) const;
  void conduct_end();
  void last_checkpoint();
  void finish(bool abandoned);
  void drained();

  Status prime_digest();
  void wake_lanes();
  void fail(Error error, bool of_target);

  Volume& source_;
  Volume& target_;
  Journal* journal_;
  const CopyOptions options_;
  bool skips_zeros_;  ///< the target is proven to be zero; fixed before the lanes begin
  Progress progress_;
  RateLimit rate_limit_;
  RateLimit iops_limit_;
  ExtentAhead extents_;
  Planner planner_;
  Checkpointer checkpointer_;
  std::optional<PageMemory> zeros_;  ///< one request of zeros, written where the target cannot zero
  OnFinished on_finished_;
  std::function<void()> on_drained_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> paused_{false};
  std::atomic<bool> stalled_{false};
  std::atomic<unsigned> lanes_held_back_{0};  ///< by a limit

  std::mutex mutex_;
  // Guarded by mutex_:
  std::vector<std::unique_ptr<CopyLane>> lanes_;  ///< empty until start()
  std::unique_ptr<VolumeDigest> digest_;
  std::optional<Error> first_error_;
  bool target_failed_ = false;  ///< what it has flushed since its last good flush is not certain
  unsigned lanes_at_work_ = 0;
  unsigned lanes_hanging_ = 0;
  RangeSet bad_;

  // The first lane's thread only:
  Reactor* conductor_ = nullptr;
  Timer ticks_;
  Task begin_task_{};
  Task end_task_{};
  std::atomic<bool> end_posted_{false};
  std::uint64_t moved_ = 0;  ///< at the last tick
  Clock::time_point moved_at_{};
  Clock::time_point checkpoint_at_{};
  bool ending_ = false;  ///< every lane is idle or hangs
  bool finished_ = false;
  bool abandoned_ = false;
};

}  // namespace blockhaul
