#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <random>
#include <vector>

#include "volume/logged_request.h"

namespace blockhaul {

/// Which requests go wrong, and how.
struct FaultRule {
  enum class Action : std::uint8_t {
    refuse,   ///< nothing is done, `error` is reported
    distort,  ///< it is done, `error` is reported all the same
    hang,     ///< nothing is done or reported until release()
    delay,    ///< it is done `delay` later
    shorten,  ///< only its first part is done: a simulated disk says how much, a volume, which
              ///< knows no short request, reports `error`
    tear,  ///< some sectors of it are done, by the seed, one of them in part; `error` is reported
    drop,  ///< nothing is done, success is reported
    corrupt,    ///< it is done with one bit of its data flipped, by the seed
    misdirect,  ///< it is done in another place
  };

  static constexpr std::uint64_t kForEver = std::numeric_limits<std::uint64_t>::max();

  /// read, write, zero, flush or map; none: any but map.
  std::optional<Operation> operation{};
  /// Requests that touch [offset, offset + length). A flush has no place: it matches any range.
  std::uint64_t offset = 0;
  std::uint64_t length = kForEver;
  std::uint64_t skip = 0;  ///< so many that match are let through first
  std::uint64_t times = 1;
  Action action = Action::refuse;
  int error = EIO;  ///< a positive errno; 0 with `tear`: success is reported
  std::chrono::nanoseconds delay{};
  double probability = 1;  ///< that one which matches is hit, by the seed
  /// Counts only while the rules are in this state (FaultRules::set_state); none: in any.
  std::optional<unsigned> state{};
};

/// Rules that are judged one after the other: the first one that hits a request decides. Any
/// thread.
class FaultRules {
 public:
  explicit FaultRules(std::uint64_t seed) : random_(seed) {}

  void add(const FaultRule& rule);
  void clear();
  /// The state begins as 0.
  void set_state(unsigned state);

  /// The rule that hits this request, the next one of all.
  std::optional<FaultRule> judge(const LoggedRequest& request);
  /// A number below `count`, by the seed; 0 where `count` is 0.
  std::uint64_t pick(std::uint64_t count);

  /// The requests that were hit so far, in order.
  [[nodiscard]] std::vector<LoggedRequest> faults() const;

 private:
  struct Armed {
    FaultRule rule;
    std::uint64_t matched = 0;
    std::uint64_t hit = 0;
  };

  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::mt19937_64 random_;
  std::vector<Armed> rules_;
  std::vector<LoggedRequest> faults_;
  unsigned state_ = 0;
};

/// Where a misdirected request goes: right behind its place, or right before it; nowhere where the
/// medium of `size` bytes has no such place.
[[nodiscard]] std::optional<std::uint64_t> place_beside(std::uint64_t offset, std::uint64_t length,
                                                        std::uint64_t size);

}  // namespace blockhaul
