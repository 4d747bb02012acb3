#include "support/simulated_copy.h"

#include "volume/fault_volume.h"

namespace blockhaul::test {
namespace {

std::uint64_t requests_of(const Volume& volume) {
  if (const auto* memory = dynamic_cast<const MemoryVolume*>(&volume)) return memory->requests();
  if (const auto* faulty = dynamic_cast<const FaultVolume*>(&volume)) return faulty->requests();
  return 0;
}

}  // namespace

SimulatedCopy::SimulatedCopy(Simulation& world, Volume& source, Volume& target,
                             const CopyOptions& options, Journal* journal)
    : world_(world),
      source_(source),
      target_(target),
      size_(options.last() - options.begin),
      job_(source, target, journal, options, ExtentAhead::Mode::inlined) {
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
    look();
    return done();
  });
}

std::uint64_t SimulatedCopy::requests() const {
  return requests_of(source_) + requests_of(target_);
}

void SimulatedCopy::note_outcome(CopyOutcome outcome) {
  if (run_.ended) run_.faults.emplace_back("the outcome came twice");
  run_.ended = true;
  run_.outcome = std::move(outcome);
  run_.took = world_.now() - began_;
  for (const MemoryVolume* volume : watched_) {
    if (volume->in_flight() > 0)
      run_.faults.emplace_back("the outcome came before the last request was done");
  }
  if (!requests_when_stopping_) requests_when_stopping_ = requests();
}

void SimulatedCopy::look() {
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
  if (run_.state == CopyState::draining && !requests_when_stopping_)
    requests_when_stopping_ = requests();
}

CopyRun SimulatedCopy::finish() {
  if (!run_.ended) return run_;
  if (!world_.run_to_rest()) run_.faults.emplace_back("something goes on without end");
  look();
  if (requests() != requests_when_stopping_)
    run_.faults.emplace_back("requests were begun after the end, or after the copy was stopped");
  return run_;
}

CopyRun run_copy(Simulation& world, Volume& source, Volume& target, const CopyOptions& options) {
  SimulatedCopy copy(world, source, target, options);
  return copy.run();
}

}  // namespace blockhaul::test
