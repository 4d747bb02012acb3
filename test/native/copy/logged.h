#pragma once

#include <ostream>
#include <utility>

#include "copy/scripted_source.h"
#include "volume/memory_volume.h"

namespace blockhaul {

/// For messages of failed tests.
inline void PrintTo(const LoggedRequest& request, std::ostream* out) {
  *out << name_of(request.operation);
  if (request.operation != Operation::flush) *out << " " << request.offset << "+" << request.length;
}

namespace test {

/// A target of any size, without content: it keeps the log alone.
class ScriptedTarget final : public Volume {
 public:
  explicit ScriptedTarget(std::uint64_t size) {
    info_.size = size;
    info_.read_only = false;
    info_.zeroes = true;
  }

  [[nodiscard]] const VolumeInfo& info() const override { return info_; }
  void submit(Reactor& reactor, Request& request) override {
    log_.push_back({request.operation, request.offset, request.length});
    complete_later(reactor, request, 0);
  }
  [[nodiscard]] const std::vector<LoggedRequest>& log() const { return log_; }

 private:
  VolumeInfo info_;
  std::vector<LoggedRequest> log_;
};

}  // namespace test
}  // namespace blockhaul
