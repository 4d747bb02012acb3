#include "support/simulated_copy.h"

namespace blockhaul::test {

SimulatedCopy::SimulatedCopy(Simulation& world, Volume& source, Volume& target,
                             const CopyOptions& options)
    : world_(world),
      size_(options.size),
      job_(source, target, options, ExtentAhead::Mode::inlined) {
  for (std::uint32_t i = 0; i < options.lanes; ++i) reactors_.push_back(&world.add_reactor());
  for (Volume* volume : {&source, &target}) {
    if (const auto* memory = dynamic_cast<MemoryVolume*>(volume)) watch(*memory);
  }
}

CopyRun SimulatedCopy::run() {
  start();
  run_until([this] { return run_.ended; });
  return finish();
}

void SimulatedCopy::start() {
  began_ = world_.now();
  const Status started =
      job_.start(reactors_, [this](CopyOutcome outcome) { note_outcome(std::move(outcome)); });
  if (!started) run_.faults.push_back("does not start: " + started.error().message);
}

bool SimulatedCopy::run_until(const std::function<bool()>& done) {
  return world_.run_until([&] {
    look_at_counters();
    return done();
  });
}

void SimulatedCopy::note_outcome(CopyOutcome outcome) {
  if (run_.ended) run_.faults.emplace_back("the outcome came twice");
  run_.ended = true;
  run_.outcome = std::move(outcome);
  run_.took = world_.now() - began_;
  for (const MemoryVolume* volume : watched_) {
    if (volume->in_flight() > 0)
      run_.faults.emplace_back("the outcome came before the last request");
    requests_at_outcome_ += volume->log().size();
  }
}

void SimulatedCopy::look_at_counters() {
  const Progress& now = job_.progress();
  if (now.read < run_.read || now.written < run_.written || now.zeroed < run_.zeroed ||
      now.skipped < run_.skipped) {
    run_.faults.emplace_back("a counter fell");
  }
  if (now.done() > size_) run_.faults.emplace_back("more is done than there is");
  run_.read = now.read;
  run_.written = now.written;
  run_.zeroed = now.zeroed;
  run_.skipped = now.skipped;
  run_.state = now.state;
}

CopyRun SimulatedCopy::finish() {
  if (!run_.ended) return run_;
  if (!world_.run_to_rest()) run_.faults.emplace_back("something goes on without end");
  look_at_counters();
  std::uint64_t requests = 0;
  for (const MemoryVolume* volume : watched_) requests += volume->log().size();
  if (requests != requests_at_outcome_) run_.faults.emplace_back("requests came after the outcome");
  return run_;
}

CopyRun run_copy(Simulation& world, Volume& source, Volume& target, const CopyOptions& options) {
  SimulatedCopy copy(world, source, target, options);
  return copy.run();
}

}  // namespace blockhaul::test
