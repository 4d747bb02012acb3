#include "support/simulation.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace blockhaul::test {

struct Simulation::Call {
  std::function<void()> function;
  Timer timer{};
};

Simulation::Simulation(std::uint64_t seed) : random_(seed) {}

Simulation::~Simulation() = default;

void Simulation::call_at(Clock::duration elapsed, std::function<void()> function) {
  Call& call = *calls_.emplace_back(std::make_unique<Call>());
  call.function = std::move(function);
  call.timer.start(
      add_reactor(), kBeginning + elapsed,
      [](void* context) noexcept { static_cast<Call*>(context)->function(); }, &call);
}

SimReactor& Simulation::add_reactor() {
  reactors_.push_back(std::make_unique<SimReactor>(*this));
  return *reactors_.back();
}

bool Simulation::step() {
  ready_.clear();
  std::optional<Clock::time_point> next;
  for (const auto& reactor : reactors_) {
    if (reactor->ready()) ready_.push_back(reactor.get());
    const auto deadline = reactor->next_deadline();
    if (deadline) next = next ? std::min(*next, *deadline) : *deadline;
  }
  if (ready_.empty() && !next) return false;
  ++steps_;
  if (ready_.empty()) {
    now_ = *next;
  } else {
    ready_[pick(ready_.size())]->run_what_is_due();
  }
  return true;
}

bool Simulation::run_until(const std::function<bool()>& done) {
  for (std::uint64_t i = 0; i < kMostSteps; ++i) {
    if (done()) return true;
    if (!step()) return false;
  }
  return false;
}

bool Simulation::run_to_rest() {
  return !run_until([] { return false; }) && !step();
}

void SimReactor::submit(FileOperation& operation) {
  refused_.push_back(&operation);
  wake();
}

void SimReactor::wait(const Clock::time_point*) {
  std::fprintf(stderr, "a simulated reactor is stepped by its simulation, never run\n");
  std::abort();
}

bool SimReactor::ready() const {
  const auto deadline = next_deadline();
  return woken_ || (deadline && *deadline <= now());
}

void SimReactor::run_what_is_due() {
  woken_ = false;
  run_tasks();
  run_timers();
  for (FileOperation* operation : std::exchange(refused_, {}))
    operation->on_done(*operation, -ENOSYS);
}

}  // namespace blockhaul::test
