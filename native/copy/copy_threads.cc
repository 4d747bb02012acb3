#include "copy/copy_threads.h"

#include <future>

#include "core/kept_memory.h"

namespace blockhaul {

Result<std::unique_ptr<CopyThreads>> CopyThreads::start(Ends ends, const CopyOptions& options,
                                                        CopyJob::OnFinished on_finished,
                                                        std::function<void()> on_drained) {
  std::unique_ptr<CopyThreads> copy(new CopyThreads());
  // Beside a lane's own requests, the first one's has the flush and the journal's.
  const unsigned operations = options.requests / options.lanes + 3;
  for (std::uint32_t i = 0; i < options.lanes; ++i) {
    auto reactor = make_reactor(ReactorKind::automatic, operations);
    if (!reactor) return reactor.error();
    copy->reactors_.push_back(std::move(reactor.value()));
  }
  copy->ends_ = std::move(ends);
  copy->job_ =
      std::make_unique<CopyJob>(*copy->ends_.source, *copy->ends_.target, copy->ends_.journal.get(),
                                options, ExtentAhead::Mode::thread);
  copy->on_finished_ = std::move(on_finished);
  copy->on_drained_ = std::move(on_drained);
  try {
    copy->supervisor_ = std::thread([&threads = *copy] { threads.supervise(); });
  } catch (const std::system_error& error) {
    return Error::from_errno(error.code().value(), Operation::open, "copy threads");
  }
  return copy;
}

CopyThreads::~CopyThreads() {
  if (!supervisor_.joinable()) return;
  if (!ended_) {
    job_->cancel();
    // Only then: it ends the maps of all who use the volume.
    ends_.source->interrupt();
  }
  supervisor_.join();
}

void CopyThreads::supervise() {
  std::promise<CopyOutcome> promise;
  std::promise<void> drained;
  std::vector<Reactor*> reactors;
  for (const auto& reactor : reactors_) reactors.push_back(reactor.get());

  std::vector<std::thread> threads;
  CopyOutcome outcome;
  try {
    for (Reactor* reactor : reactors) threads.emplace_back([reactor] { reactor->run(); });
    const Status started = job_->start(
        reactors, [&promise](CopyOutcome result) { promise.set_value(std::move(result)); },
        [&drained] { drained.set_value(); });
    if (started) {
      outcome = promise.get_future().get();
    } else {
      outcome.error = started.error();
    }
  } catch (const std::system_error& error) {
    outcome.error = Error::from_errno(error.code().value(), Operation::open, "copy threads");
  }
  const bool requests_hang = outcome.abandoned;
  if (requests_hang) {
    on_finished_(outcome);
    drained.get_future().wait();
  }
  for (Reactor* reactor : reactors) reactor->stop();
  for (std::thread& thread : threads) thread.join();
  // What comes next, a verification perhaps, needs other memory than this.
  give_back_kept_memory();
  if (requests_hang) {
    job_->end_mapping();
    ended_ = true;
    on_drained_();
  } else {
    end_mapping(outcome);
  }
}

/// Ends the map's thread, and tells the outcome: at the latest at the deadline, should a query
/// hang.
void CopyThreads::end_mapping(CopyOutcome& outcome) {
  using std::chrono::milliseconds;
  const auto limit = std::chrono::duration_cast<milliseconds>(job_->options().request_timeout);
  outcome.abandoned = limit.count() > 0 && !job_->end_mapping_within(limit);
  if (outcome.abandoned) on_finished_(outcome);
  job_->end_mapping();
  ended_ = true;
  if (outcome.abandoned) {
    on_drained_();
  } else {
    on_finished_(outcome);
  }
}

}  // namespace blockhaul
