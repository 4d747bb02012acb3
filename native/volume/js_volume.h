#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <unordered_set>

#include "volume/volume.h"

namespace blockhaul {

/// One operation for JavaScript to do.
struct JsCall {
  Operation operation = Operation::read;  ///< read, write, zero, flush or map
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::span<std::byte> data{};  ///< of a read, to be filled before `finish`; of a write, the data
  std::vector<Extent> extents;  ///< of a map, to be filled before `finish`
  /// Called once, by any thread: 0 or a positive errno. The call is gone after it.
  std::function<void(int error)> finish;
};

/// The way to the thread that JavaScript runs on; the addon has it.
class JsBridge {
 public:
  virtual ~JsBridge() = default;
  /// Any thread. Calls `finish` sooner or later, whatever becomes of JavaScript.
  virtual void call(std::shared_ptr<JsCall> call) = 0;
};

/// A volume whose requests are done by JavaScript. No pool memory ever reaches JavaScript: the
/// bridge copies.
class JsVolume final : public Volume {
 public:
  JsVolume(VolumeInfo info, std::shared_ptr<JsBridge> bridge);

  [[nodiscard]] const VolumeInfo& info() const override { return info_; }
  void submit(Reactor& reactor, Request& request) override;
  Result<std::vector<Extent>> map(std::uint64_t offset, std::uint64_t length) override;
  void interrupt() override;

 private:
  struct PendingMap;

  VolumeInfo info_;
  std::shared_ptr<JsBridge> bridge_;
  std::mutex mutex_;
  // Guarded by mutex_:
  std::unordered_set<std::shared_ptr<PendingMap>> maps_;
};

}  // namespace blockhaul
