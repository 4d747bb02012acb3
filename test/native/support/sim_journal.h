#pragma once

#include <memory>

#include "copy/journal.h"
#include "support/simulation.h"

namespace blockhaul::test {

/// A journal's file in a simulation. What is appended while a copy runs goes to a simulated disk,
/// with all that may become of it there. What blocks (a rewind, the digests of a checkpoint) goes
/// past the reactor, so the Journal gets a descriptor of the kernel's: a file in memory that holds
/// what readers of the disk see.
class SimJournal {
 public:
  SimJournal(const SimDiskOptions& options, SimStorage storage)
      : disk_(options, std::move(storage)) {}

  /// What a new journal's file holds, durable.
  static SimImage fresh(const JournalHeader& header, std::uint64_t salt);
  /// What an image of the file says.
  static Result<JournalContents> read(const SimImage& image);
  /// For journal_format.h; the image outlives it.
  static ReadAt reader(const SimImage& image);

  [[nodiscard]] SimDisk& disk() { return disk_; }
  [[nodiscard]] const SimDisk& disk() const { return disk_; }
  /// As Journal::open() does: reads it, drops a torn tail, makes the rest durable. Once.
  Result<std::unique_ptr<Journal>> open(Simulation& world);
  /// Lets the disk have what a call that blocks appended: not before a flush is it durable.
  void take_over_appended();
  void make_durable();

 private:
  SimDisk disk_;
  UniqueDescriptor mirror_;
};

}  // namespace blockhaul::test
