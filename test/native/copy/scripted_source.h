#pragma once

#include <atomic>
#include <functional>
#include <utility>

#include "volume/volume.h"

namespace blockhaul::test {

/// A volume that answers map queries as a test says, and nothing else.
class ScriptedSource final : public Volume {
 public:
  using Answer =
      std::function<Result<std::vector<Extent>>(std::uint64_t offset, std::uint64_t length)>;

  ScriptedSource(std::uint64_t size, Answer answer) : answer_(std::move(answer)) {
    info_.size = size;
    info_.maps_extents = true;
  }

  [[nodiscard]] const VolumeInfo& info() const override { return info_; }
  void submit(Reactor& reactor, Request& request) override {
    complete_later(reactor, request, ENOTSUP);
  }
  Result<std::vector<Extent>> map(std::uint64_t offset, std::uint64_t length) override {
    return answer_(offset, length);
  }
  void interrupt() override { ++interrupts; }

  std::atomic<int> interrupts{0};

 private:
  VolumeInfo info_;
  Answer answer_;
};

/// Answers from a list of extents, so many at a time; what is not named is data.
inline ScriptedSource::Answer answer_from(std::vector<Extent> extents, std::size_t at_a_time) {
  return [extents = std::move(extents), at_a_time](
             std::uint64_t offset, std::uint64_t length) -> Result<std::vector<Extent>> {
    std::vector<Extent> answer = cover_range(extents, offset, length, ExtentKind::data);
    if (answer.size() > at_a_time) answer.resize(at_a_time);
    return answer;
  };
}

}  // namespace blockhaul::test
