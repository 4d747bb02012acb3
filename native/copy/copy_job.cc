#include "copy/copy_job.h"

#include <algorithm>
#include <cassert>

#include "copy/copy_lane.h"

namespace blockhaul {
namespace {

/// Long enough that an empty volume costs nothing, short enough that a cancel is soon seen.
constexpr std::uint64_t kLongestZero = 256 * kMiB;
constexpr std::chrono::nanoseconds kLongestTick = std::chrono::seconds(1);
/// Chunks whose digests are read from a journal at a time.
constexpr std::uint64_t kPrimedAtOnce = 64 * kKiB * kChunk;

std::string in_seconds(std::chrono::nanoseconds duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count()) + " s";
}

/// How often the job looks at the clock: often enough for each of its limits. 0: it has none.
std::chrono::nanoseconds tick_of(const CopyOptions& options, bool has_journal) {
  std::chrono::nanoseconds tick{0};
  const auto consider = [&](std::chrono::nanoseconds limit) {
    if (limit.count() > 0 && (tick.count() == 0 || limit < tick)) tick = limit;
  };
  if (has_journal) consider(options.checkpoint_interval);
  consider(options.request_timeout / 4);
  consider(options.stall_limit / 4);
  return std::min(tick, kLongestTick);
}

}  // namespace

CopyJob::CopyJob(Volume& source, Volume& target, Journal* journal, const CopyOptions& options,
                 ExtentAhead::Mode map_mode)
    : source_(source),
      target_(target),
      journal_(journal),
      options_(options),
      skips_zeros_(target.begin_writing() == ZeroState::proven_zero),
      rate_limit_(options.bandwidth_limit),
      iops_limit_(options.iops_limit),
      extents_(source, options.begin, options.last(),
               options.use_extents ? map_mode : ExtentAhead::Mode::whole),
      planner_(extents_, options.begin, options.last(), options.request_size,
               target.info().zeroes ? kLongestZero : options.request_size),
      checkpointer_(target, journal, options.begin, options.last()) {
  if (options.digest != DigestKind::none) {
    digest_ = std::make_unique<VolumeDigest>(options.digest, options.size, options.begin);
    digest_->set_sink([this](const ChunkRun& run) { checkpointer_.add_chunks(run); });
  }
  begin_task_.context = this;
  begin_task_.run = [](Task& task) noexcept {
    CopyJob& job = *static_cast<CopyJob*>(task.context);
    job.moved_at_ = job.checkpoint_at_ = job.conductor_->now();
    job.tick();
  };
  end_task_.context = this;
  end_task_.run = [](Task& task) noexcept {
    CopyJob& job = *static_cast<CopyJob*>(task.context);
    job.end_posted_.store(false, std::memory_order_release);
    job.conduct_end();
  };
}

CopyJob::~CopyJob() { extents_.stop(); }

Status CopyJob::start(const std::vector<Reactor*>& reactors, OnFinished on_finished,
                      std::function<void()> on_drained) {
  const auto lanes = static_cast<std::uint32_t>(reactors.size());
  const std::uint64_t buffers = options_.memory / options_.request_size / lanes;
  Result<PageMemory> zeros = PageMemory::create(options_.request_size);
  if (!zeros) return zeros.error();
  zeros_ = std::move(zeros.value());
  std::vector<std::unique_ptr<CopyLane>> made;
  for (Reactor* reactor : reactors) {
    // Some have one more than others: all together have no more than was asked for.
    const bool one_more = made.size() < options_.requests % lanes;
    const unsigned slots = std::max(1U, options_.requests / lanes + (one_more ? 1 : 0));
    auto lane =
        CopyLane::create(*this, *reactor, slots,
                         static_cast<unsigned>(std::clamp<std::uint64_t>(buffers, 1, slots)));
    if (!lane) return lane.error();
    made.push_back(std::move(lane.value()));
  }
  on_finished_ = std::move(on_finished);
  on_drained_ = std::move(on_drained);
  if (Status primed = prime_digest(); !primed) return primed;
  skips_zeros_ = skips_zeros_ && target_.confirm_zero(stopping_);
  conductor_ = reactors.front();
  {
    const std::lock_guard lock(mutex_);
    lanes_ = std::move(made);
    lanes_at_work_ = lanes;
  }
  try {
    extents_.start([this] { wake_lanes(); });
  } catch (const std::system_error& error) {
    return Error::from_errno(error.code().value(), Operation::map, "map thread");
  }
  conductor_->post(begin_task_);
  wake_lanes();
  return success();
}

/// Of a copy that goes on, the digests of what is done already come from its journal.
Status CopyJob::prime_digest() {
  if (journal_ == nullptr) return success();
  const JournalHeader& header = journal_->header();
  if (journal_->frontier() != options_.begin || header.size != options_.size ||
      header.digest != options_.digest) {
    return Error{
        .number = EINVAL, .message = "the journal is about another copy", .code = "ERR_JOURNAL"};
  }
  if (!digest_ || header.base != 0) return success();
  for (std::uint64_t from = 0; from < options_.begin && !stopping(); from += kPrimedAtOnce) {
    auto known = journal_->chunks(from, std::min(from + kPrimedAtOnce, options_.begin));
    if (!known) return known.error();
    for (const ChunkRun& run : known.value()) digest_->add_known(run);
  }
  return success();
}

void CopyJob::cancel() {
  fail(Error{.number = ECANCELED, .message = "the copy was cancelled", .code = "ERR_CANCELLED"},
       false);
}

void CopyJob::set_bandwidth_limit(std::uint64_t bytes_per_second) {
  rate_limit_.set(bytes_per_second);
  wake_lanes();
}

void CopyJob::set_iops_limit(std::uint64_t pieces_per_second) {
  iops_limit_.set(pieces_per_second);
  wake_lanes();
}

void CopyJob::set_paused(bool paused) {
  paused_.store(paused, std::memory_order_release);
  wake_lanes();
}

void CopyJob::stop_with(Error error) {
  const bool of_target = error.side == Side::target;
  fail(std::move(error), of_target);
}

/// Any error of the target's counts, also one that comes while the copy stops for another reason.
void CopyJob::fail(Error error, bool of_target) {
  {
    const std::lock_guard lock(mutex_);
    target_failed_ = target_failed_ || of_target;
    if (first_error_ || progress_.state == CopyState::done) return;
    first_error_ = std::move(error);
    progress_.state = CopyState::draining;
  }
  stopping_.store(true, std::memory_order_release);
  extents_.request_stop();
  wake_lanes();
}

void CopyJob::wake_lanes() {
  const std::lock_guard lock(mutex_);
  for (const auto& lane : lanes_) lane->wake();
}

void CopyJob::note_leaves(std::uint64_t offset, const std::vector<DigestValue>& leaves) {
  if (leaves.empty()) return;
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < leaves.size(); ++i) digest_->add_leaf(offset / kLeaf + i, leaves[i]);
}

void CopyJob::note_zeros(std::uint64_t offset, std::uint64_t length) {
  const std::lock_guard lock(mutex_);
  if (digest_) digest_->add_zeros(offset, length);
}

void CopyJob::note_bad(Range range) {
  checkpointer_.add_bad(range);
  const std::lock_guard lock(mutex_);
  bad_.add(range);
}

void CopyJob::piece_finished(const Piece& piece) {
  checkpointer_.finished(piece.offset, piece.length);
}

void CopyJob::lane_idle() {
  const std::lock_guard lock(mutex_);
  assert(lanes_at_work_ > 0);
  if (--lanes_at_work_ == 0 && !end_posted_.exchange(true)) conductor_->post(end_task_);
}

void CopyJob::lane_hangs() {
  const std::lock_guard lock(mutex_);
  ++lanes_hanging_;
  if (--lanes_at_work_ == 0 && !end_posted_.exchange(true)) conductor_->post(end_task_);
}

void CopyJob::lane_hangs_no_more() {
  const std::lock_guard lock(mutex_);
  if (--lanes_hanging_ == 0 && lanes_at_work_ == 0 && !end_posted_.exchange(true))
    conductor_->post(end_task_);
}

void CopyJob::tick() {
  if (finished_) return;
  const Clock::time_point now = conductor_->now();
  if (!stopping()) look_for_stall(now);
  if (checkpoint_is_overdue(now)) {
    Error error = Error::from_errno(ETIMEDOUT, checkpointer_.waits_for(),
                                    "no answer for " + in_seconds(options_.request_timeout));
    if (checkpointer_.waits_for() == Operation::flush) error.side = Side::target;
    fail(std::move(error), true);
    if (ending_) return conduct_end();
  }
  const bool checkpoint_is_due = journal_ != nullptr && options_.checkpoint_interval.count() > 0 &&
                                 now - checkpoint_at_ >= options_.checkpoint_interval;
  if (checkpoint_is_due && !stopping() && !ending_ && !checkpointer_.busy() &&
      checkpointer_.has_news()) {
    checkpoint_at_ = now;
    checkpointer_.start(*conductor_, [this](std::optional<Error> error) {
      if (error) fail(std::move(*error), true);
      if (ending_) conduct_end();
    });
  }
  const std::chrono::nanoseconds interval = tick_of(options_, journal_ != nullptr);
  if (interval.count() == 0) return;
  ticks_.start(
      *conductor_, now + interval,
      [](void* context) noexcept { static_cast<CopyJob*>(context)->tick(); }, this);
}

void CopyJob::look_for_stall(Clock::time_point now) {
  const std::uint64_t moved = progress_.read + progress_.done();
  const bool is_held_back = paused() || lanes_held_back_.load() > 0 || checkpointer_.busy();
  if (moved != moved_ || is_held_back || ending_) {
    moved_ = moved;
    moved_at_ = now;
    return;
  }
  if (options_.stall_limit.count() == 0 || now - moved_at_ < options_.stall_limit) return;
  stalled_.store(true, std::memory_order_release);
  fail(Error::from_errno(ETIMEDOUT, Operation::read,
                         "not one byte moved for " + in_seconds(options_.stall_limit)),
       true);
}

bool CopyJob::checkpoint_is_overdue(Clock::time_point now) const {
  return checkpointer_.busy() && options_.request_timeout.count() > 0 &&
         now - checkpointer_.began() >= options_.request_timeout;
}

/// Every lane is idle or hangs; or what hung does not any more; or a checkpoint ended.
void CopyJob::conduct_end() {
  ending_ = true;
  unsigned hanging = 0;
  bool target_failed = false;
  bool stops = false;
  {
    const std::lock_guard lock(mutex_);
    if (lanes_at_work_ > 0) return;
    hanging = lanes_hanging_;
    target_failed = target_failed_;
    stops = first_error_.has_value();
  }
  const bool hangs = hanging > 0 || checkpoint_is_overdue(conductor_->now());
  if (finished_) {
    if (abandoned_ && hanging == 0 && !checkpointer_.busy()) drained();
    return;
  }
  if (hangs && stops) return finish(true);
  if (checkpointer_.busy() || hanging > 0) return;
  // After an error of the target's, a flush that succeeds would say nothing.
  if (stops && (target_failed || journal_ == nullptr)) return finish(false);
  last_checkpoint();
}

void CopyJob::last_checkpoint() {
  {
    const std::lock_guard lock(mutex_);
    if (!first_error_) progress_.state = CopyState::flushing;
  }
  checkpointer_.start(*conductor_, [this](std::optional<Error> error) {
    if (error) fail(std::move(*error), true);
    if (finished_) return conduct_end();
    finish(false);
  });
}

void CopyJob::finish(bool abandoned) {
  finished_ = true;
  abandoned_ = abandoned;
  ticks_.stop();
  if (abandoned) checkpointer_.abandon();
  CopyOutcome outcome;
  outcome.abandoned = abandoned;
  outcome.map_failures = extents_.failures();
  {
    const std::lock_guard lock(mutex_);
    outcome.error = first_error_;
    outcome.bad = bad_.list();
    if (!first_error_) {
      progress_.state = CopyState::done;
      const auto digest = digest_ ? digest_->finish() : std::nullopt;
      if (digest) outcome.digest = digest->hex();
    } else {
      progress_.state =
          first_error_->code == "ERR_CANCELLED" ? CopyState::cancelled : CopyState::failed;
    }
  }
  on_finished_(std::move(outcome));
}

void CopyJob::drained() {
  abandoned_ = false;
  if (on_drained_) on_drained_();
}

}  // namespace blockhaul
