#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "copy/copy_job.h"
#include "copy/inspect.h"
#include "copy/planner.h"
#include "core/buffer_pool.h"

namespace blockhaul {

/// A copy's share of one reactor: a window of slots, each of which moves one piece at a time.
///
///     free ──► reading ──► inspected ──► writing or zeroing run by run ──► free
///       │      │     ▲                                            │     ▲
///       │      └──► salvaging block by block                      └──► waiting, to try once more
///       └───── a piece mapped as zero: no buffer, no read ──┘
///
/// Reads and writes of different slots overlap in any order. A slot's buffer goes back to the pool
/// only when no request uses it; a lane is idle only when every slot is free. While the copy stops,
/// a lane whose requests are all past their deadline says that it hangs, and goes on to wait.
class CopyLane {
 public:
  static Result<std::unique_ptr<CopyLane>> create(CopyJob& job, Reactor& reactor, unsigned slots,
                                                  unsigned buffers);
  ~CopyLane();
  CopyLane(const CopyLane&) = delete;
  CopyLane& operator=(const CopyLane&) = delete;

  /// Any thread: makes the lane look for work, or see that the copy is stopping.
  void wake();
  [[nodiscard]] Reactor& reactor() { return reactor_; }

 private:
  struct Slot {
    CopyLane* lane = nullptr;
    Piece piece;
    std::span<std::byte> buffer{};  ///< empty: a piece without a read
    Request request{};
    bool in_flight = false;  ///< a volume has the request
    Clock::time_point since{};
    unsigned retries = 0;    ///< of this request
    Timer retry{};           ///< runs while the slot waits to try once more
    bool salvaging = false;  ///< the piece is read block by block
    std::uint64_t read = 0;  ///< bytes of it that are read, while salvaging
    std::vector<Run> runs;
    std::vector<DigestValue> leaves;
    std::size_t run = 0;         ///< the one at work
    std::uint64_t run_done = 0;  ///< bytes of it that are done
    bool by_writing = false;     ///< the target cannot zero this run: zeros are written
  };

  CopyLane(CopyJob& job, Reactor& reactor, std::unique_ptr<BufferPool> pool, unsigned slots);
  static void request_done(Request& request) noexcept;
  void fill();
  void hold(const Piece& piece);
  bool start(const Piece& piece);
  void submit(Slot& slot);
  bool retry(Slot& slot);
  void start_read(Slot& slot);
  void read_done(Slot& slot);
  void salvage(Slot& slot);
  void inspect_piece(Slot& slot);
  void next_run(Slot& slot);
  void submit_run(Slot& slot);
  void run_done(Slot& slot);
  void release(Slot& slot);
  void give_back(Slot& slot);
  void give_up_waiting();
  void look_for_deadlines();
  void watch();
  [[nodiscard]] bool is_overdue(const Slot& slot) const;
  [[nodiscard]] unsigned changes_of_limits() const;
  void set_held_back(bool held_back);
  void fail(const Slot& slot, int number, Side side);

  CopyJob& job_;
  Reactor& reactor_;
  std::unique_ptr<BufferPool> pool_;
  InspectOptions inspect_options_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> free_;
  std::optional<Piece> held_;  ///< given out by the planner, waiting for its time or for a buffer
  bool held_may_start_ = false;
  unsigned held_by_limit_ = 0;  ///< changes_of_limits() when its time was reserved
  bool held_back_ = false;      ///< until its time has come
  Timer pace_;
  Timer watch_;  ///< looks for requests past their deadline
  Task wake_task_{};
  std::atomic<bool> wake_posted_{false};
  bool hangs_ = false;
  bool done_ = false;
};

}  // namespace blockhaul
