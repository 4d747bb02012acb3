#include "copy/copy_job.h"

#include <algorithm>
#include <cassert>

#include "copy/copy_lane.h"

namespace blockhaul {
namespace {

/// Long enough that an empty volume costs nothing, short enough that a cancel is soon seen.
constexpr std::uint64_t kLongestZero = 256 * kMiB;

}  // namespace

CopyJob::CopyJob(Volume& source, Volume& target, const CopyOptions& options,
                 ExtentAhead::Mode map_mode)
    : source_(source),
      target_(target),
      options_(options),
      skips_zeros_(target.begin_writing() == ZeroState::proven_zero),
      rate_limit_(options.bandwidth_limit),
      extents_(source, options.size, options.use_extents ? map_mode : ExtentAhead::Mode::whole),
      planner_(extents_, options.size, options.request_size,
               target.info().zeroes ? kLongestZero : options.request_size) {
  if (options.digest != DigestKind::none) {
    digest_ = std::make_unique<VolumeDigest>(options.digest, options.size);
  }
}

CopyJob::~CopyJob() { extents_.stop(); }

Status CopyJob::start(const std::vector<Reactor*>& reactors,
                      std::function<void(CopyOutcome)> on_finished) {
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
  skips_zeros_ = skips_zeros_ && target_.confirm_zero(stopping_);
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
  wake_lanes();
  return success();
}

void CopyJob::cancel() {
  stop_with(
      Error{.number = ECANCELED, .message = "the copy was cancelled", .code = "ERR_CANCELLED"});
}

void CopyJob::set_bandwidth_limit(std::uint64_t bytes_per_second) {
  rate_limit_.set(bytes_per_second);
  wake_lanes();
}

void CopyJob::stop_with(Error error) {
  {
    const std::lock_guard lock(mutex_);
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

/// The last lane to become idle ends the copy on its own reactor.
void CopyJob::lane_idle(CopyLane& lane) {
  {
    const std::lock_guard lock(mutex_);
    assert(lanes_at_work_ > 0);
    if (--lanes_at_work_ > 0) return;
    if (!first_error_) progress_.state = CopyState::flushing;
  }
  if (stopping()) return finish();
  flush_target(lane.reactor());
}

void CopyJob::flush_target(Reactor& reactor) {
  flush_.operation = Operation::flush;
  flush_.context = this;
  flush_.on_done = [](Request& request) noexcept {
    CopyJob& job = *static_cast<CopyJob*>(request.context);
    if (request.error != 0) {
      Error error = Error::from_errno(request.error, Operation::flush);
      error.side = Side::target;
      job.stop_with(std::move(error));
    }
    job.finish();
  };
  target_.submit(reactor, flush_);
}

void CopyJob::finish() {
  CopyOutcome outcome;
  {
    const std::lock_guard lock(mutex_);
    outcome.error = first_error_;
    outcome.map_failures = extents_.failures();
    if (!first_error_) {
      progress_.state = CopyState::done;
      if (digest_) outcome.digest = digest_->finish().hex();
    } else {
      progress_.state =
          first_error_->code == "ERR_CANCELLED" ? CopyState::cancelled : CopyState::failed;
    }
  }
  on_finished_(std::move(outcome));
}

}  // namespace blockhaul
