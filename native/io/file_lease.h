#pragma once

namespace blockhaul {

/// Whether the kernel says that nobody at all has a file open for writing, this process included.
/// False where somebody has, and where it will not say: not a regular file, a file system without
/// leases, a file of somebody else's.
///
/// It is asked for a read lease (fcntl(2), F_SETLEASE), which is granted only then, and given back
/// at once. Whoever opens the file for writing in between waits that long, a few microseconds.
///
/// @param descriptor of the file, opened to be read only; its F_SETSIG is changed
bool nobody_writes(int descriptor) noexcept;

}  // namespace blockhaul
