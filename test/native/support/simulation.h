#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "io/reactor.h"
#include "support/sim_disk.h"

namespace blockhaul::test {

class SimReactor;

/// A world of its own for engine code: one thread, a clock that moves only when nothing is left to
/// do at its moment, and a seed that decides everything that is a matter of chance. The same code
/// with the same seed does the same things in the same order, so that a failure can be replayed.
///
///     Simulation world(seed);
///     SimReactor& reactor = world.add_reactor();    one a lane
///     …start something on it…
///     world.run_until([&] { return finished; })     false: the world came to rest before (a hang)
///
/// A step picks, by the seed, one of the reactors that have something to do now (a task, or a timer
/// that is due) and lets it do that; where none has, the clock jumps to the earliest timer of all.
/// Whatever takes time takes it as a timer (MemoryVolume does), so to stop stepping is to cut the
/// power: what has not completed by then never will, and what it would have changed is unchanged.
class Simulation {
 public:
  explicit Simulation(std::uint64_t seed);
  ~Simulation();

  SimReactor& add_reactor();
  /// Calls a function when so much time has passed since the beginning.
  void call_at(Clock::duration elapsed, std::function<void()> function);

  [[nodiscard]] Clock::time_point now() const { return now_; }
  /// Since the beginning of this world.
  [[nodiscard]] Clock::duration elapsed() const { return now_ - kBeginning; }
  /// A descriptor of a disk, for file operations on this world's reactors. The kernel knows no
  /// such descriptor: to close it has no effect. The disk outlives the world.
  int open(SimDisk& disk, SimAccess access);
  /// The same under a number that the kernel does know, as of the disk's mirror.
  void open_as(int descriptor, SimDisk& disk, SimAccess access);
  /// A number below `count`, by the seed.
  std::uint64_t pick(std::uint64_t count) { return random_() % count; }

  /// False: nothing is left to happen, ever.
  bool step();
  /// Steps until `done`. False where the world comes to rest before, or does not end.
  bool run_until(const std::function<bool()>& done);
  /// Steps until nothing is left to happen. False where there is no end to it.
  bool run_to_rest();

  /// Steps taken so far.
  [[nodiscard]] std::uint64_t steps() const { return steps_; }

 private:
  friend class SimReactor;
  struct Call;
  struct OpenDisk {
    SimDisk* disk;
    SimAccess access;
  };

  /// Null: nothing was opened under this number.
  [[nodiscard]] const OpenDisk* find_open(int descriptor) const;

  /// Not the clock's zero: a default-constructed moment is long past.
  static constexpr Clock::time_point kBeginning{std::chrono::hours(1)};
  /// Far more than any copy of these tests needs: what runs on for ever is a fault.
  static constexpr std::uint64_t kMostSteps = 20'000'000;

  std::mt19937_64 random_;
  Clock::time_point now_ = kBeginning;
  std::map<int, OpenDisk> opened_;
  std::vector<std::unique_ptr<SimReactor>> reactors_;
  std::vector<std::unique_ptr<Call>> calls_;
  std::vector<SimReactor*> ready_;  ///< scratch of step()
  std::uint64_t steps_ = 0;
};

/// A reactor of a simulation. Its files are the simulation's disks: an operation on any other
/// descriptor ends with ENOSYS.
class SimReactor final : public Reactor {
 public:
  explicit SimReactor(const Simulation& world);
  ~SimReactor() override;

  void submit(FileOperation& operation) override;
  [[nodiscard]] Clock::time_point now() const override { return world_.now(); }
  [[nodiscard]] std::string_view name() const override { return "simulation"; }

 protected:
  void wait(const Clock::time_point* deadline) override;
  void wake() override { woken_ = true; }

 private:
  friend class Simulation;
  struct Pending;

  [[nodiscard]] bool ready() const;
  void run_what_is_due();
  void await(Pending& pending);
  void complete(Pending& pending);

  const Simulation& world_;
  bool woken_ = false;  ///< tasks are queued
  std::vector<FileOperation*> refused_;
  std::list<Pending> pending_;
};

}  // namespace blockhaul::test
