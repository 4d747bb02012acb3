#pragma once

#include <cstdint>
#include <string_view>

namespace blockhaul {

/// What the kernel says of a file's writers; this process counts.
enum class Writers : std::uint8_t {
  none,     ///< nobody has it open for writing, nor mapped so
  some,     ///< somebody has, perhaps only as a mapping whose descriptor is closed
  unknown,  ///< no regular file, a file system without leases, or another user's file
};

[[nodiscard]] constexpr std::string_view name_of(Writers writers) {
  if (writers == Writers::unknown) return "unknown";
  return writers == Writers::none ? "none" : "some";
}

/// Asks for a read lease (fcntl(2), F_SETLEASE), which is granted only where nobody may write, and
/// keeps it: whoever opens the file for writing waits until it is given back, for
/// /proc/sys/fs/lease-break-time seconds at the most.
///
/// @param descriptor of the file, opened to be read only; its F_SETSIG is changed
Writers take_lease(int descriptor) noexcept;

/// The same, and gives the lease back at once: who comes in between waits a few microseconds.
Writers who_writes(int descriptor) noexcept;

}  // namespace blockhaul
