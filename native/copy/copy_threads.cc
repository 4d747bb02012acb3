#include "copy/copy_threads.h"

#include <future>

namespace blockhaul {

Result<std::unique_ptr<CopyThreads>> CopyThreads::start(
    std::shared_ptr<Volume> source, std::shared_ptr<Volume> target, const CopyOptions& options,
    std::function<void(CopyOutcome)> on_finished) {
  std::unique_ptr<CopyThreads> copy(new CopyThreads());
  const unsigned operations = options.requests / options.lanes + 1;
  for (std::uint32_t i = 0; i < options.lanes; ++i) {
    auto reactor = make_reactor(ReactorKind::automatic, operations);
    if (!reactor) return reactor.error();
    copy->reactors_.push_back(std::move(reactor.value()));
  }
  copy->source_ = std::move(source);
  copy->target_ = std::move(target);
  copy->job_ =
      std::make_unique<CopyJob>(*copy->source_, *copy->target_, options, ExtentAhead::Mode::thread);
  copy->on_finished_ = std::move(on_finished);
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
    source_->interrupt();
  }
  supervisor_.join();
}

void CopyThreads::supervise() {
  std::promise<CopyOutcome> promise;
  std::vector<Reactor*> reactors;
  for (const auto& reactor : reactors_) reactors.push_back(reactor.get());

  std::vector<std::thread> threads;
  CopyOutcome outcome;
  try {
    for (Reactor* reactor : reactors) threads.emplace_back([reactor] { reactor->run(); });
    const Status started = job_->start(
        reactors, [&promise](CopyOutcome result) { promise.set_value(std::move(result)); });
    if (started) {
      outcome = promise.get_future().get();
    } else {
      outcome.error = started.error();
    }
  } catch (const std::system_error& error) {
    outcome.error = Error::from_errno(error.code().value(), Operation::open, "copy threads");
  }
  for (Reactor* reactor : reactors) reactor->stop();
  for (std::thread& thread : threads) thread.join();
  job_->end_mapping();
  ended_ = true;
  on_finished_(std::move(outcome));
}

}  // namespace blockhaul
