#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "core/digest.h"
#include "io/reactor.h"
#include "support/sim_image.h"
#include "volume/fault_rules.h"

namespace blockhaul::test {

struct SimDiskOptions {
  std::uint32_t sector = 512;  ///< bytes: what a crash keeps, loses or tears
  bool grows = false;          ///< a file, which writes behind its end make longer; else a device
  bool read_only = false;      ///< a write is a breach
  /// How many steps of PosixVolume's ladder it refuses: 0, PUNCH_HOLE works; 1, ZERO_RANGE; 2,
  /// none.
  unsigned refused_zero_steps = 0;
  /// Each operation takes a time between these, drawn from the seed.
  std::chrono::nanoseconds shortest_delay{1};
  std::chrono::nanoseconds longest_delay{1000};
  unsigned short_one_in = 0;      ///< one of so many transfers is short; 0: none
  unsigned interrupt_one_in = 0;  ///< one of so many operations ends with EINTR
  std::uint64_t seed = 1;
};

/// One way into a disk: what the flags of an open file description are.
struct SimAccess {
  bool direct = false;  ///< offset, length and memory have to be aligned to sectors
  bool writes = false;
};

/// What a disk holds: all that was ever written in its cache, all that was flushed on its medium.
struct SimStorage {
  /// A change that is in the cache, not on the medium. Without data: zeros.
  struct Change {
    std::uint64_t sequence = 0;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::shared_ptr<const Bytes> data{};
  };

  SimStorage() = default;
  SimStorage(SimImage content)  // NOLINT: implicit by design
      : cache(content), medium(std::move(content)) {}

  SimImage cache{};
  SimImage medium{};
  std::deque<Change> changes{};
  std::uint64_t next_change = 1;

  /// Puts a change into the cache. `data` null: zeros.
  void enter(std::uint64_t offset, std::uint64_t length, const std::byte* data);
};

/// A disk, or a file on one, with a memory that does not outlive a power cut: what is written stays
/// in a volatile cache until a flush makes durable what had completed before the flush began.
///
///     write ──► in flight ──► cache ── flush ──► medium
///                   │           │
///                   └──► crash ◄┘   each sector whole, lost or torn
///
/// A flush that fails (and was not just interrupted) is like fsync(2)'s: some of what it covered is
/// lost to the medium for good, while whoever reads sees it in the cache, and the next flush
/// reports success.
///
/// Faults are rules, as of a FaultVolume, but at the medium: short transfers say how short they
/// are. What no volume may do to a disk is listed in breaches(). One thread; it outlives the
/// simulation that it takes part in.
class SimDisk {
 public:
  /// An operation that is under way. A simulated reactor begins it, waits until it is `due`, and
  /// ends it.
  struct Flight {
    FileOperation* file = nullptr;
    Operation operation = Operation::read;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    SimAccess access{};
    std::chrono::nanoseconds takes{};  ///< how long
    bool hangs = false;                ///< it is not due before it is released
    std::function<void()> on_release{};

   private:
    friend class SimDisk;
    DigestValue data{};        ///< of a write, as it began
    std::uint64_t covers = 0;  ///< of a flush: all changes before this one
    std::optional<FaultRule> fault{};
    int refused = 0;  ///< a positive errno, known from the beginning
    bool dead = false;
    std::list<Flight>::iterator place{};
  };

  SimDisk(const SimDiskOptions& options, SimStorage storage);

  Flight& begin(FileOperation& file, SimAccess access);
  /// Its effect, and what the system call gives.
  std::int64_t end(Flight& flight);
  /// It never was: its simulation is gone.
  void forget(Flight& flight);

  /// What readers see.
  [[nodiscard]] const SimImage& image() const { return storage_.cache; }
  /// What would be there after a power cut now: of all that is in the cache only, and of all that
  /// is in flight, any part. As often as one likes: nothing changes.
  [[nodiscard]] SimImage after_crash(std::mt19937_64& random) const;
  /// What would be there if the process were killed now: all that is in the cache stays, of what is
  /// in flight any part comes to it.
  [[nodiscard]] SimStorage after_kill(std::mt19937_64& random) const;
  /// The power is cut: nothing in flight has an effect any more, nor has what still comes; all ends
  /// with ENODEV, so that the engine which hung on it can be taken down.
  void power_off();

  // What a test does past the reactors:
  void enter(std::uint64_t offset, std::uint64_t length, const std::byte* data);
  void make_all_durable() { make_durable(storage_.next_change, false); }
  /// Makes a file shorter, durably.
  void cut_file(std::uint64_t size);
  /// What changes the cache is written to this descriptor too, where it is not negative.
  void mirror_to(int descriptor) { mirror_ = descriptor; }

  [[nodiscard]] FaultRules& rules() { return rules_; }
  [[nodiscard]] const FaultRules& rules() const { return rules_; }
  /// Lets the operations that hang go on.
  void release();
  [[nodiscard]] std::size_t in_flight() const { return flights_.size(); }
  /// Operations that began, that ended: each is a moment of its own to cut the power at.
  [[nodiscard]] std::uint64_t begun() const { return begun_; }
  [[nodiscard]] std::uint64_t ended() const { return ended_; }
  /// What began and was not refused at once, as what is not aligned is.
  [[nodiscard]] const std::vector<LoggedRequest>& log() const { return log_; }
  [[nodiscard]] const std::vector<std::string>& breaches() const { return breaches_; }
  /// Flushes that began after a write, a zero or a flush had failed for good.
  [[nodiscard]] std::uint64_t flushes_after_failure() const { return flushes_after_failure_; }

 private:
  void check(const Flight& flight);
  void breach(const Flight& flight, const std::string& what);
  [[nodiscard]] int refusal(const Flight& flight) const;
  std::int64_t perform(Flight& flight);
  std::int64_t read(const Flight& flight);
  std::int64_t change(const Flight& flight);
  std::int64_t flush(const Flight& flight);
  [[nodiscard]] std::uint64_t short_count(std::uint64_t length, bool direct);
  void make_durable(std::uint64_t before, bool loses_some);
  void keep_any_part(SimImage& image, std::uint64_t offset, std::uint64_t length,
                     const std::byte* data, std::mt19937_64& random) const;
  [[nodiscard]] bool may_land(const Flight& flight) const;
  bool one_in(unsigned count) { return count != 0 && random_() % count == 0; }

  const SimDiskOptions options_;
  FaultRules rules_;
  std::mt19937_64 random_;
  SimStorage storage_;
  int mirror_ = -1;
  std::list<Flight> flights_;
  bool is_off_ = false;
  std::uint64_t begun_ = 0;
  std::uint64_t ended_ = 0;
  bool has_failed_ = false;
  std::uint64_t flushes_after_failure_ = 0;
  std::vector<LoggedRequest> log_;
  std::vector<std::string> breaches_;
};

}  // namespace blockhaul::test
