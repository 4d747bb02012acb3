#include "support/simulation.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace blockhaul::test {

namespace {

/// Behind all descriptors that a process can have.
constexpr int kFirstDescriptor = 1 << 24;

}  // namespace

/// A file operation under way.
struct SimReactor::Pending {
  SimReactor* reactor = nullptr;
  std::list<Pending>::iterator place{};
  FileOperation* operation = nullptr;
  SimDisk* disk = nullptr;
  SimDisk::Flight* flight = nullptr;
  Timer timer{};
};

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

int Simulation::open(SimDisk& disk, SimAccess access) {
  const int descriptor = kFirstDescriptor + static_cast<int>(opened_.size());
  open_as(descriptor, disk, access);
  return descriptor;
}

void Simulation::open_as(int descriptor, SimDisk& disk, SimAccess access) {
  opened_[descriptor] = {&disk, access};
}

const Simulation::OpenDisk* Simulation::find_open(int descriptor) const {
  const auto place = opened_.find(descriptor);
  return place == opened_.end() ? nullptr : &place->second;
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

SimReactor::SimReactor(const Simulation& world) : world_(world) {}

SimReactor::~SimReactor() {
  for (const Pending& pending : pending_) pending.disk->forget(*pending.flight);
}

void SimReactor::submit(FileOperation& operation) {
  const Simulation::OpenDisk* open = world_.find_open(operation.descriptor);
  if (open == nullptr) {
    refused_.push_back(&operation);
    wake();
    return;
  }
  Pending& pending = pending_.emplace_back();
  pending.reactor = this;
  pending.place = std::prev(pending_.end());
  pending.operation = &operation;
  pending.disk = open->disk;
  pending.flight = &open->disk->begin(operation, open->access);
  if (!pending.flight->hangs) return await(pending);
  pending.flight->on_release = [&pending] { pending.reactor->await(pending); };
}

void SimReactor::await(Pending& pending) {
  pending.timer.start(
      *this, now() + pending.flight->takes,
      [](void* context) noexcept {
        Pending& due = *static_cast<Pending*>(context);
        due.reactor->complete(due);
      },
      &pending);
}

void SimReactor::complete(Pending& pending) {
  FileOperation& operation = *pending.operation;
  const std::int64_t result = pending.disk->end(*pending.flight);
  pending_.erase(pending.place);
  operation.on_done(operation, result);
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
