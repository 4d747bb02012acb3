#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "volume/volume.h"

namespace blockhaul {

/// Asks a source for its extents ahead of the copy and keeps a bounded number of them ready.
///
/// A map is a hint: when a query fails, all from there on counts as data. What comes out has two
/// kinds only, data and hole, ascending, without gaps, over the whole range.
class ExtentAhead {
 public:
  enum class Mode : std::uint8_t {
    thread,   ///< a thread of its own asks
    inlined,  ///< take() asks: for simulations, where nothing else may run
    whole,    ///< nobody asks: all is data
  };

  /// Of the bytes from `begin` to `end`.
  ExtentAhead(Volume& source, std::uint64_t begin, std::uint64_t end, Mode mode);
  ~ExtentAhead();
  ExtentAhead(const ExtentAhead&) = delete;
  ExtentAhead& operator=(const ExtentAhead&) = delete;

  /// `on_ready` is called, by any thread, each time that take() may give more than it did.
  void start(std::function<void()> on_ready);
  /// No query is begun any more; any thread.
  void request_stop();
  /// Ends the thread; what is ready stays. A query under way is interrupted where it waits for
  /// somebody else, and waited for where it does not.
  void stop();
  /// The same, but waits no longer than `limit`; false: a query still hangs, and stop() is yet to
  /// be called.
  [[nodiscard]] bool stop_within(std::chrono::milliseconds limit);

  /// Moves what is ready to the end of `extents`. False: nothing is left to come.
  bool take(std::deque<Extent>& extents);

  /// Queries that failed.
  [[nodiscard]] std::uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }

 private:
  void run();
  void ask();
  bool interrupted_by_others(const Result<std::vector<Extent>>& answer);
  void add(const std::vector<Extent>& extents);

  Volume& source_;
  const std::uint64_t end_;
  const Mode mode_;
  std::function<void()> on_ready_;
  std::atomic<std::uint64_t> failures_{0};
  std::uint64_t position_;  ///< the asker's own: where the next query begins

  std::mutex mutex_;
  // Guarded by mutex_:
  std::condition_variable changed_;
  std::deque<Extent> ready_;
  bool all_asked_ = false;
  bool stopping_ = false;
  bool asking_ = false;  ///< the thread waits for an answer
  bool ended_ = false;   ///< the thread has nothing left to do

  std::thread thread_;
};

}  // namespace blockhaul
