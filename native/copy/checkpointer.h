#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "copy/frontier.h"
#include "copy/journal.h"
#include "core/range.h"
#include "volume/volume.h"

namespace blockhaul {

/// Makes a copy's progress durable:
///
///     the frontier is taken ──► target.flush() ──► the journal's append ──► done
///
/// in this order: what is recorded was finished before the flush began. Writes of others may be in
/// flight beside it; they are behind the frontier. Without a journal, the flush is all.
class Checkpointer {
 public:
  using OnDone = std::function<void(std::optional<Error>)>;

  /// `journal` may be null; its frontier is `begin`.
  Checkpointer(Volume& target, Journal* journal, std::uint64_t begin, std::uint64_t end);

  // Any thread:
  void finished(std::uint64_t offset, std::uint64_t length);
  void add_chunks(const ChunkRun& run);
  void add_bad(Range range);

  /// Whether there is anything to record that is not recorded yet; any thread.
  [[nodiscard]] bool has_news() const;

  /// Reactor's thread, as all below; not while it is busy.
  void start(Reactor& reactor, OnDone on_done);
  [[nodiscard]] bool busy() const { return began_.has_value(); }
  /// When the one under way began.
  [[nodiscard]] Clock::time_point began() const { return *began_; }
  /// Nobody waits for the one under way any more: what it flushes is not recorded.
  void abandon() { advances_ = false; }
  /// What the one under way waits for: flush, or write (the journal's).
  [[nodiscard]] Operation waits_for() const { return waits_for_; }

 private:
  void take_frontier();
  void flushed(int error);
  void appended(int error);
  void done(std::optional<Error> error);
  [[nodiscard]] std::uint64_t boundary() const;

  Volume& target_;
  Journal* journal_;
  const std::uint64_t end_;

  mutable std::mutex mutex_;
  // Guarded by mutex_:
  Frontier frontier_;
  std::uint64_t recorded_;        ///< what the journal holds, or is about to
  std::vector<ChunkRun> chunks_;  ///< from recorded_ on
  std::vector<Range> bad_;

  // The reactor's thread only:
  Reactor* reactor_ = nullptr;
  OnDone on_done_;
  std::optional<Clock::time_point> began_;
  Operation waits_for_ = Operation::flush;
  bool advances_ = false;
  Request flush_{};
  JournalAppend append_{};
};

}  // namespace blockhaul
