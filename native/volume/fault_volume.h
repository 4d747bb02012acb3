#pragma once

#include <limits>
#include <list>
#include <mutex>
#include <optional>
#include <vector>

#include "volume/logged_request.h"
#include "volume/volume.h"

namespace blockhaul {

/// Which requests fail, and how.
struct FaultRule {
  enum class Action : std::uint8_t {
    refuse,   ///< nothing is done, `error` is reported
    distort,  ///< it is done, `error` is reported all the same
    hang,     ///< nothing is done or reported until release()
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
  int error = EIO;
};

/// Puts faults in front of any volume, for tests. The first rule that matches a request decides.
/// Like every volume it must outlive its requests: the destructor ends the process where it does
/// not.
class FaultVolume final : public Volume {
 public:
  explicit FaultVolume(Volume& inner);
  ~FaultVolume() override;

  [[nodiscard]] const VolumeInfo& info() const override { return inner_.info(); }
  void submit(Reactor& reactor, Request& request) override;
  Result<std::vector<Extent>> map(std::uint64_t offset, std::uint64_t length) override;
  void interrupt() override { inner_.interrupt(); }
  [[nodiscard]] bool confirm_zero(const std::atomic<bool>& stop) override {
    return inner_.confirm_zero(stop);
  }

  /// Any thread.
  void add(const FaultRule& rule);
  /// Lets the requests that hang go on to the volume; their reactors' thread.
  void release();

  /// Requests so far, maps not counted.
  [[nodiscard]] std::uint64_t requests() const;
  /// What was refused, distorted or made to hang so far, in order.
  [[nodiscard]] std::vector<LoggedRequest> faults() const;
  [[nodiscard]] std::size_t in_flight() const;

 private:
  struct Armed {
    FaultRule rule;
    std::uint64_t matched = 0;
  };
  struct Pending;

  /// The rule that this request, the next one, falls under.
  std::optional<FaultRule> judge(Operation operation, std::uint64_t offset, std::uint64_t length);
  void complete(Pending& pending, int error);

  Volume& inner_;

  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::vector<Armed> rules_;
  std::list<Pending> pending_;
  std::uint64_t requests_ = 0;
  std::vector<LoggedRequest> faults_;
};

}  // namespace blockhaul
