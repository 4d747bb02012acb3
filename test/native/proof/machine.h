#pragma once

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "support/sim_journal.h"
#include "support/sim_volume.h"
#include "support/simulated_copy.h"

namespace blockhaul::test {

/// What is copied: an image of many MiB with little in it, and the map that says where.
struct SparseContent {
  SimImage image{};
  std::vector<Extent> extents{};  ///< without gaps

  [[nodiscard]] std::uint64_t size() const { return image.size(); }
};

/// So many bytes of which about `pieces` stretches, from 512 bytes to 256 KiB, are data.
SparseContent sparse_content(std::uint64_t size, unsigned pieces, std::mt19937_64& random);

/// The digest of each chunk, in hexadecimal, by the definition and with none of the engine's code.
std::vector<std::string> reference_chunks(DigestKind kind, const SimImage& image);

/// How a copy is made.
struct CopyShape {
  bool source_is_block = true;
  bool target_is_block = true;
  bool direct = true;
  bool is_mapped = true;
  bool proven_zero = false;  ///< the target is all zero, and known to be; a device
  std::uint32_t sector = 512;
  std::uint64_t target_size = 0;  ///< bytes; not less than the source's
  unsigned refused_zero_steps = 0;
  unsigned short_one_in = 0;
  unsigned interrupt_one_in = 0;
  std::chrono::nanoseconds longest_delay{std::chrono::microseconds(100)};
  CopyOptions options{};  ///< size is the content's, begin the journal's frontier
};

/// What outlives a process, or a power cut.
struct Remains {
  SimStorage source{};
  SimStorage target{};
  SimStorage journal{};
};

/// Before the first run: a target full of something else (or proven zero), a journal that is new.
Remains untouched(const CopyShape& shape, const SparseContent& content, std::uint64_t salt);

/// A process that copies, on a machine with three simulated disks: the source's, the target's and
/// the journal's. The volumes, the journal and the copy on them are the real ones. Made from what
/// an earlier one left; its end is that of the copy, a kill, or a power cut.
class Machine {
 public:
  Machine(const CopyShape& shape, const SparseContent& content, const Remains& remains,
          std::uint64_t seed);
  ~Machine();

  [[nodiscard]] Simulation& world() { return world_; }
  [[nodiscard]] SimDisk& source() { return source_; }
  [[nodiscard]] SimDisk& target() { return target_; }
  [[nodiscard]] SimDisk& journal() { return journal_disk_.disk(); }
  [[nodiscard]] const SimDisk& journal() const { return journal_disk_.disk(); }

  /// Reads the journal. Fails as Journal::open() does.
  Status open_journal();
  /// Its frontier, in bytes.
  [[nodiscard]] std::uint64_t frontier() const { return journal_->frontier(); }
  /// Reads a volume back from `from` to the journal's frontier and compares the digests of its
  /// chunks with those recorded: where the first chunk begins that is not the same, or the
  /// frontier. An Error where it cannot be read.
  Result<std::uint64_t> verify(bool at_source, std::uint64_t from);
  Status rewind(std::uint64_t frontier);

  /// The copy, from the journal's frontier on; made by start(), which the journal precedes.
  void start();
  [[nodiscard]] CopyJob& job() { return copy_->job(); }
  /// Steps until `done`; false where the copy ended before, or all came to rest.
  bool run_until(const std::function<bool()>& done);
  /// Steps until the outcome, and on until all is at rest.
  const CopyRun& run();
  [[nodiscard]] const CopyRun& last_run() const { return run_; }

  /// Moments so far at which a power cut leaves something else than before.
  [[nodiscard]] std::uint64_t moments() const;
  [[nodiscard]] Remains after_crash(std::mt19937_64& random) const;
  [[nodiscard]] Remains after_kill(std::mt19937_64& random) const;
  /// Nothing has an effect any more; the copy is taken down.
  void power_off();

  // What must be true, in words; "" where it is.

  /// However it went: no breach of rules, the source unchanged, the target beyond the copy
  /// unchanged.
  [[nodiscard]] std::string broken_rule() const;
  /// After success: identical, durable, and of the right digest. `expected` is what the target is
  /// to hold. What the journal says at the end is true, as ever; only if it `is_recorded`, it is
  /// all.
  [[nodiscard]] std::string why_not_done(const SimImage& expected, bool checks_digest,
                                         bool is_recorded = true);

 private:
  void settle();

  const CopyShape shape_;
  const SparseContent& content_;
  const std::uint64_t seed_;
  std::mt19937_64 random_;
  SimImage target_before_;
  SimDisk source_;
  SimDisk target_;
  SimJournal journal_disk_;
  Simulation world_;
  std::unique_ptr<PosixVolume> source_volume_;
  std::unique_ptr<MappedVolume> mapped_source_;
  std::unique_ptr<PosixVolume> target_volume_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<SimulatedCopy> copy_;
  CopyRun run_;
  bool is_off_ = false;
};

/// What a journal's image claims, held against what the target's holds: that all before the
/// frontier is the source's, and that each recorded digest is the chunk's. "" where it is so.
std::string false_claim(const SimImage& journal, const SimImage& target, const SimImage& expected,
                        const std::vector<std::string>& chunks);

}  // namespace blockhaul::test
