#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>

namespace blockhaul {

/// Whether the same request may succeed a little later: the medium was busy or short of something,
/// or the way to it was interrupted. What says something about the data or the device is not.
[[nodiscard]] constexpr bool is_retryable(int error) {
  switch (error) {
    case EINTR:
    case EAGAIN:
    case EBUSY:
    case ENOMEM:
    case ENOBUFS:
    case ETIMEDOUT:
    case ECONNRESET:
    case ENETUNREACH:
    case EHOSTUNREACH:
      return true;
    default:
      return false;
  }
}

/// Whether a read failed because of what lies at that place, so that other places may do better.
[[nodiscard]] constexpr bool is_media_error(int error) {
  return error == EIO || error == EILSEQ || error == ENODATA || error == EBADMSG ||
         error == EREMOTEIO;
}

inline constexpr std::chrono::milliseconds kFirstRetryDelay{100};
inline constexpr std::chrono::milliseconds kLongestRetryDelay{5000};

/// How long to wait before a retry, the first of which is number 0.
[[nodiscard]] constexpr std::chrono::milliseconds retry_delay(unsigned retry) {
  return std::min(kFirstRetryDelay * (1 << std::min(retry, 10U)), kLongestRetryDelay);
}

}  // namespace blockhaul
