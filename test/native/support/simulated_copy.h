#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "copy/copy_job.h"
#include "support/simulation.h"
#include "volume/memory_volume.h"

namespace blockhaul::test {

/// What came of a copy.
struct CopyRun {
  bool ended = false;  ///< false: it hangs; nothing else here counts then
  CopyOutcome outcome{};
  CopyState state = CopyState::copying;
  std::uint64_t read = 0;
  std::uint64_t written = 0;
  std::uint64_t zeroed = 0;
  std::uint64_t skipped = 0;
  Clock::duration took{};
  /// What no copy may do: counters that fall or exceed the size, an outcome that comes twice or
  /// while something is in flight, new requests once it is stopping or has ended.
  std::vector<std::string> faults{};

  [[nodiscard]] std::uint64_t done() const { return written + zeroed + skipped; }
};

/// A CopyJob on reactors of a simulation, as many as its options say; the map is asked inline.
class SimulatedCopy {
 public:
  SimulatedCopy(Simulation& world, Volume& source, Volume& target, const CopyOptions& options,
                Journal* journal = nullptr);

  [[nodiscard]] CopyJob& job() { return job_; }
  /// Looks, when the outcome comes, whether a volume still has requests. The two that are given are
  /// watched if they are MemoryVolumes; those behind a FaultVolume are not known here.
  void watch(const MemoryVolume& volume) { watched_.push_back(&volume); }

  /// Starts it and steps until its end, and on until the world is at rest.
  CopyRun run();
  /// The same in three parts. run_until() is false where the world comes to rest before.
  void start();
  bool run_until(const std::function<bool()>& done);
  CopyRun finish();
  [[nodiscard]] const CopyRun& so_far() const { return run_; }

 private:
  void note_outcome(CopyOutcome outcome);
  void look();
  [[nodiscard]] std::uint64_t requests() const;

  Simulation& world_;
  const Volume& source_;
  const Volume& target_;
  std::vector<Reactor*> reactors_;
  const std::uint64_t size_;
  std::vector<const MemoryVolume*> watched_;
  CopyRun run_;
  Clock::time_point began_;
  std::optional<std::uint64_t> requests_when_stopping_;
  CopyJob job_;
};

/// Starts a copy and runs it to its end.
CopyRun run_copy(Simulation& world, Volume& source, Volume& target, const CopyOptions& options);

}  // namespace blockhaul::test
