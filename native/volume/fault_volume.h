#pragma once

#include <list>
#include <mutex>
#include <vector>

#include "volume/fault_rules.h"
#include "volume/volume.h"

namespace blockhaul {

/// Puts faults in front of any volume, for tests. Like every volume it must outlive its requests:
/// the destructor ends the process where it does not.
class FaultVolume final : public Volume {
 public:
  explicit FaultVolume(Volume& inner, std::uint64_t seed = 1);
  ~FaultVolume() override;

  [[nodiscard]] const VolumeInfo& info() const override { return inner_.info(); }
  void submit(Reactor& reactor, Request& request) override;
  Result<std::vector<Extent>> map(std::uint64_t offset, std::uint64_t length) override;
  void interrupt() override { inner_.interrupt(); }
  [[nodiscard]] bool confirm_zero(const std::atomic<bool>& stop) override {
    return inner_.confirm_zero(stop);
  }

  /// Any thread.
  void add(const FaultRule& rule) { rules_.add(rule); }
  /// Which rules count from now on: those of this state and those of any.
  void set_state(unsigned state) { rules_.set_state(state); }
  /// Lets the requests that hang go on to the volume; their reactors' thread.
  void release();

  /// Requests so far, maps not counted.
  [[nodiscard]] std::uint64_t requests() const;
  /// What a rule hit so far, in order.
  [[nodiscard]] std::vector<LoggedRequest> faults() const { return rules_.faults(); }
  [[nodiscard]] std::size_t in_flight() const;

 private:
  struct Pending;

  void apply(Pending& pending, const FaultRule& rule);
  void tear(Pending& pending);
  void next_part(Pending& pending);
  void complete(Pending& pending, int error);

  Volume& inner_;
  FaultRules rules_;

  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::list<Pending> pending_;
  std::uint64_t requests_ = 0;
};

}  // namespace blockhaul
