#include "copy/copy_lane.h"

#include <algorithm>

#include "core/retry.h"
#include "core/units.h"

namespace blockhaul {
namespace {

/// Zeros in the middle of data that are shorter than this travel with the data: a request saved is
/// worth more than a few blocks. A target that must be told of zeros wants longer ones.
constexpr std::uint64_t kShortestSkip = 16 * kKiB;
constexpr std::uint64_t kShortestZero = 64 * kKiB;

}  // namespace

Result<std::unique_ptr<CopyLane>> CopyLane::create(CopyJob& job, Reactor& reactor, unsigned slots,
                                                   unsigned buffers) {
  auto pool = BufferPool::create(job.options_.request_size, buffers);
  if (!pool) return pool.error();
  return std::unique_ptr<CopyLane>(new CopyLane(job, reactor, std::move(pool.value()), slots));
}

CopyLane::CopyLane(CopyJob& job, Reactor& reactor, std::unique_ptr<BufferPool> pool, unsigned slots)
    : job_(job), reactor_(reactor), pool_(std::move(pool)) {
  inspect_options_.digest = job_.options_.digest;
  if (job_.skips_zeros_) {
    inspect_options_.shortest_zero_run = kShortestSkip;
  } else if (job_.target_.info().zeroes) {
    inspect_options_.shortest_zero_run = kShortestZero;
  }
  for (unsigned i = 0; i < slots; ++i) {
    slots_.push_back(std::make_unique<Slot>());
    Slot& slot = *slots_.back();
    slot.lane = this;
    slot.request.context = &slot;
    slot.request.on_done = request_done;
    free_.push_back(&slot);
  }
  wake_task_.context = this;
  wake_task_.run = [](Task& task) noexcept {
    CopyLane& lane = *static_cast<CopyLane*>(task.context);
    lane.wake_posted_.store(false, std::memory_order_release);
    if (!lane.watch_.running()) lane.watch();
    lane.fill();
  };
}

CopyLane::~CopyLane() = default;

void CopyLane::wake() {
  if (!wake_posted_.exchange(true, std::memory_order_acq_rel)) reactor_.post(wake_task_);
}

/// Starts pieces until the window is full, the planner has nothing, or the copy stops.
void CopyLane::fill() {
  if (done_) return;
  if (job_.stopping()) give_up_waiting();
  Piece piece;
  bool planned_all = false;
  while (!job_.stopping() && !job_.paused() && !free_.empty()) {
    if (held_) {
      if (!held_may_start_ && held_by_limit_ != changes_of_limits()) hold(*held_);
      if (!held_may_start_ || !start(*held_)) break;
      held_.reset();
      continue;
    }
    const Planner::Answer answer = job_.planner_.next(piece);
    planned_all = answer == Planner::Answer::end;
    if (answer != Planner::Answer::piece) break;
    hold(piece);
  }
  // A piece of zeros that begins while the copy stops is released at once, and that came here.
  if (done_) return;
  if (free_.size() < slots_.size()) return look_for_deadlines();
  if (!job_.stopping() && (held_ || !planned_all)) return;
  done_ = true;
  pace_.stop();
  watch_.stop();
  set_held_back(false);
  if (hangs_) return job_.lane_hangs_no_more();
  job_.lane_idle();
}

/// Keeps a piece until its time has come by the limits.
void CopyLane::hold(const Piece& piece) {
  held_ = piece;
  held_may_start_ = true;
  pace_.stop();
  set_held_back(false);
  // Zeros cost the target nothing, unless they must be written.
  if (!piece.is_data && (job_.skips_zeros_ || job_.target_.info().zeroes)) return;
  held_by_limit_ = changes_of_limits();
  const Clock::time_point now = reactor_.now();
  const Clock::time_point begin =
      std::max(job_.rate_limit_.reserve(piece.length, now), job_.iops_limit_.reserve(1, now));
  if (begin <= now) return;
  held_may_start_ = false;
  set_held_back(true);
  pace_.start(
      reactor_, begin,
      [](void* context) noexcept {
        CopyLane& lane = *static_cast<CopyLane*>(context);
        lane.held_may_start_ = true;
        lane.set_held_back(false);
        lane.fill();
      },
      this);
}

unsigned CopyLane::changes_of_limits() const {
  return job_.rate_limit_.changes() + job_.iops_limit_.changes();
}

void CopyLane::set_held_back(bool held_back) {
  if (held_back == held_back_) return;
  held_back_ = held_back;
  if (held_back) {
    ++job_.lanes_held_back_;
  } else {
    --job_.lanes_held_back_;
  }
}

bool CopyLane::is_overdue(const Slot& slot) const {
  if (!slot.in_flight) return false;
  const auto limit = job_.options_.request_timeout;
  return job_.stalled() || (limit.count() > 0 && reactor_.now() - slot.since >= limit);
}

/// A request past its deadline stops the copy; when nothing else is in flight, the lane hangs.
void CopyLane::look_for_deadlines() {
  bool all_overdue = true;
  for (const auto& slot : slots_) {
    if (is_overdue(*slot)) {
      if (!job_.stopping()) {
        const auto side = slot->request.operation == Operation::read ? Side::source : Side::target;
        fail(*slot, ETIMEDOUT, side);
      }
    } else if (slot->in_flight) {
      all_overdue = false;
    }
  }
  if (hangs_ || !job_.stopping() || !all_overdue) return;
  hangs_ = true;
  job_.lane_hangs();
}

void CopyLane::watch() {
  const auto limit = job_.options_.request_timeout;
  if (limit.count() == 0 || done_ || hangs_) return;
  watch_.start(
      reactor_, reactor_.now() + limit / 4,
      [](void* context) noexcept {
        CopyLane& lane = *static_cast<CopyLane*>(context);
        lane.watch();
        if (lane.free_.size() < lane.slots_.size()) lane.fill();
      },
      this);
}

/// False where the piece needs a buffer and none is free.
bool CopyLane::start(const Piece& piece) {
  if (!piece.is_data) {
    job_.note_zeros(piece.offset, piece.length);
    if (job_.skips_zeros_) {
      job_.progress_.skipped += piece.length;
      job_.piece_finished(piece);
      return true;
    }
  }
  std::span<std::byte> buffer{};
  if (piece.is_data) {
    const auto taken = pool_->take();
    if (!taken) return false;
    buffer = *taken;
  }
  Slot& slot = *free_.back();
  free_.pop_back();
  slot.piece = piece;
  slot.buffer = buffer;
  slot.run = 0;
  slot.run_done = 0;
  slot.by_writing = false;
  if (piece.is_data) {
    start_read(slot);
  } else {
    slot.runs.assign(1, Run{piece.offset, piece.length, true});
    next_run(slot);
  }
  return true;
}

/// Hands the slot's request to the volume that it is for.
void CopyLane::submit(Slot& slot) {
  slot.in_flight = true;
  slot.since = reactor_.now();
  Volume& volume = slot.request.operation == Operation::read ? job_.source_ : job_.target_;
  volume.submit(reactor_, slot.request);
}

/// True where the request is made once more, after a while.
bool CopyLane::retry(Slot& slot) {
  if (!is_retryable(slot.request.error) || slot.retries >= job_.options_.retries ||
      job_.stopping()) {
    return false;
  }
  slot.retry.start(
      reactor_, reactor_.now() + retry_delay(slot.retries),
      [](void* context) noexcept {
        Slot& due = *static_cast<Slot*>(context);
        due.lane->submit(due);
      },
      &slot);
  ++slot.retries;
  ++job_.progress_.retries;
  return true;
}

/// What waits to be tried once more need not, while the copy stops.
void CopyLane::give_up_waiting() {
  for (const auto& slot : slots_) {
    if (!slot->retry.running()) continue;
    slot->retry.stop();
    give_back(*slot);
  }
}

void CopyLane::start_read(Slot& slot) {
  slot.salvaging = false;
  slot.request.operation = Operation::read;
  slot.request.offset = slot.piece.offset;
  slot.request.length = slot.piece.length;
  slot.request.data = slot.buffer.first(slot.piece.length);
  submit(slot);
}

void CopyLane::request_done(Request& request) noexcept {
  Slot& slot = *static_cast<Slot*>(request.context);
  slot.in_flight = false;
  if (request.error != 0 && slot.lane->retry(slot)) return;
  slot.retries = 0;
  if (request.operation == Operation::read) {
    slot.lane->read_done(slot);
  } else {
    slot.lane->run_done(slot);
  }
}

void CopyLane::read_done(Slot& slot) {
  const int error = slot.request.error;
  if (error != 0 && !(job_.options_.salvage && is_media_error(error) && !job_.stopping())) {
    fail(slot, error, Side::source);
    return release(slot);
  }
  if (error != 0 || slot.salvaging) return salvage(slot);
  inspect_piece(slot);
}

/// Reads the piece block by block. A block that cannot be read becomes zeros, and is listed.
void CopyLane::salvage(Slot& slot) {
  Request& request = slot.request;
  if (!slot.salvaging) {
    slot.salvaging = true;
    slot.read = 0;
  } else {
    if (request.error != 0) {
      std::fill(request.data.begin(), request.data.end(), std::byte{});
      job_.note_bad({request.offset, request.length});
    }
    slot.read += request.length;
  }
  if (slot.read == slot.piece.length) return inspect_piece(slot);
  if (job_.stopping()) return release(slot);
  const std::uint64_t block = std::max<std::uint64_t>(kZeroBlock, job_.source_.info().block_size);
  request.offset = slot.piece.offset + slot.read;
  request.length = std::min(block, slot.piece.length - slot.read);
  request.data = slot.buffer.subspan(slot.read, request.length);
  submit(slot);
}

void CopyLane::inspect_piece(Slot& slot) {
  job_.progress_.read += slot.piece.length;
  static const DigestValue none{};
  const DigestValue& zero_leaf = job_.digest_ ? job_.digest_->zero_leaf() : none;
  inspect(slot.buffer.first(slot.piece.length), slot.piece.offset, inspect_options_, zero_leaf,
          slot.runs, slot.leaves);
  job_.note_leaves(slot.piece.offset, slot.leaves);
  next_run(slot);
}

/// Goes on with the slot's runs until a request is under way, or all are done.
void CopyLane::next_run(Slot& slot) {
  for (; slot.run < slot.runs.size(); ++slot.run) {
    // What has not begun need not: the copy ends in an error, or was cancelled.
    if (job_.stopping()) return release(slot);
    if (slot.runs[slot.run].is_zero && job_.skips_zeros_) {
      job_.progress_.skipped += slot.runs[slot.run].length;
      continue;
    }
    slot.run_done = 0;
    slot.by_writing = false;
    return submit_run(slot);
  }
  job_.piece_finished(slot.piece);
  release(slot);
}

void CopyLane::submit_run(Slot& slot) {
  const Run& run = slot.runs[slot.run];
  Request& request = slot.request;
  request.offset = run.offset + slot.run_done;
  request.length = run.length - slot.run_done;
  if (run.is_zero && !slot.by_writing) {
    request.operation = Operation::zero;
    request.data = {};
  } else {
    request.operation = Operation::write;
    if (run.is_zero) {
      const std::uint64_t boundary =
          align_down(request.offset, job_.options_.request_size) + job_.options_.request_size;
      request.length = std::min(request.length, boundary - request.offset);
      request.data = job_.zeros_->bytes().first(request.length);
    } else {
      request.data = slot.buffer.subspan(run.offset - slot.piece.offset, run.length);
    }
  }
  submit(slot);
}

void CopyLane::run_done(Slot& slot) {
  const Run& run = slot.runs[slot.run];
  Request& request = slot.request;
  if (request.error == ENOTSUP && request.operation == Operation::zero) {
    slot.by_writing = true;
  } else if (request.error != 0) {
    fail(slot, request.error, Side::target);
    return release(slot);
  } else {
    (run.is_zero ? job_.progress_.zeroed : job_.progress_.written) += request.length;
    slot.run_done += request.length;
  }
  if (slot.run_done < run.length) return job_.stopping() ? release(slot) : submit_run(slot);
  ++slot.run;
  next_run(slot);
}

void CopyLane::fail(const Slot& slot, int number, Side side) {
  Error error = Error::from_errno(number, slot.request.operation);
  error.side = side;
  error.offset = static_cast<std::int64_t>(slot.request.offset);
  if (slot.in_flight) error.message = "no answer within the deadline; it may still be done";
  job_.stop_with(std::move(error));
}

void CopyLane::release(Slot& slot) {
  give_back(slot);
  fill();
}

void CopyLane::give_back(Slot& slot) {
  if (!slot.buffer.empty()) pool_->give_back(slot.buffer);
  slot.buffer = {};
  free_.push_back(&slot);
}

}  // namespace blockhaul
