#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace blockhaul {

enum class CopyState : std::uint8_t { copying, draining, flushing, done, failed, cancelled };

[[nodiscard]] constexpr std::string_view name_of(CopyState state) {
  switch (state) {
    case CopyState::copying:
      return "copying";
    case CopyState::draining:
      return "draining";
    case CopyState::flushing:
      return "flushing";
    case CopyState::done:
      return "done";
    case CopyState::failed:
      return "failed";
    case CopyState::cancelled:
      return "cancelled";
  }
  return "failed";
}

/// Bytes, counted when they are finished, never when they are begun; any thread may look.
struct Progress {
  std::atomic<CopyState> state{CopyState::copying};
  std::atomic<std::uint64_t> read{0};     ///< from the source
  std::atomic<std::uint64_t> written{0};  ///< to the target, as data
  std::atomic<std::uint64_t> zeroed{0};   ///< made zero on the target, by whatever way
  std::atomic<std::uint64_t> skipped{0};  ///< zeros that the target was proven to hold already
  std::atomic<std::uint64_t> retries{0};  ///< requests that were made once more

  [[nodiscard]] std::uint64_t done() const { return written + zeroed + skipped; }
};

}  // namespace blockhaul
