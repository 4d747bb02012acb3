#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "volume/logged_request.h"
#include "volume/volume.h"

namespace blockhaul {

struct MemoryVolumeOptions {
  std::uint64_t size = 0;
  std::uint32_t block_size = 1;
  ZeroState zero_state = ZeroState::unknown;
  bool stays_zero = true;       ///< what confirm_zero() answers
  bool zeroes = true;           ///< what its info says
  bool refuses_zeroes = false;  ///< zero requests are answered with ENOTSUP, whatever its info says
  /// What map() answers; what is not named is data. None: the volume maps nothing.
  std::vector<Extent> extents{};
  std::size_t extents_per_answer = 1024;
  /// Each request takes a time between these, drawn from the seed: requests overtake each other.
  std::chrono::nanoseconds shortest_delay{1};
  std::chrono::nanoseconds longest_delay{1000};
  std::uint64_t seed = 1;
};

/// A volume in memory, for tests: it keeps a log of what reached it, and watches over those who use
/// it. A read's buffer is spoiled until the read is done; a write takes effect when it is done, and
/// its data must not change before; what is in flight must not overlap; nothing may leave the
/// volume's bounds. Breaches are listed in faults(). It must outlive its requests: the destructor
/// ends the process where it does not.
///
/// Requests end by timers of the reactor that they came with: with a simulated reactor, the same
/// seed gives the same order.
class MemoryVolume final : public Volume {
 public:
  using Observer = std::function<void(const LoggedRequest& request)>;

  explicit MemoryVolume(const MemoryVolumeOptions& options);
  ~MemoryVolume() override;

  [[nodiscard]] const VolumeInfo& info() const override { return info_; }
  void submit(Reactor& reactor, Request& request) override;
  Result<std::vector<Extent>> map(std::uint64_t offset, std::uint64_t length) override;

  [[nodiscard]] bool confirm_zero(const std::atomic<bool>&) override { return options_.stays_zero; }

  /// The content; not while requests are in flight.
  [[nodiscard]] std::vector<std::byte>& bytes() { return bytes_; }
  /// All requests so far, in the order in which they were submitted.
  [[nodiscard]] std::vector<LoggedRequest> log() const;
  [[nodiscard]] std::size_t requests() const;  ///< in the log
  [[nodiscard]] std::vector<std::string> faults() const;
  [[nodiscard]] std::size_t in_flight() const;
  /// The most requests, and the most bytes of reads and writes, that ever were in flight at once.
  [[nodiscard]] std::size_t most_in_flight() const;
  [[nodiscard]] std::uint64_t most_bytes_in_flight() const;

  /// Called when a request takes effect, before its owner hears of it; on the reactor's thread.
  void on_complete(Observer observer) { observer_ = std::move(observer); }

 private:
  struct Pending;

  void check(const Request& request);
  void complete(Pending& pending);
  void perform(Request& request);
  void fault(const LoggedRequest& request, const std::string& what);

  VolumeInfo info_;
  const MemoryVolumeOptions options_;
  Observer observer_;

  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::vector<std::byte> bytes_;
  std::mt19937_64 random_;
  std::list<Pending> pending_;
  std::vector<LoggedRequest> log_;
  std::vector<std::string> faults_;
  std::size_t most_in_flight_ = 0;
  std::uint64_t bytes_in_flight_ = 0;
  std::uint64_t most_bytes_in_flight_ = 0;
};

}  // namespace blockhaul
