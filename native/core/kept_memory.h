#pragma once

namespace blockhaul {

/// Lets malloc keep what is freed, for whoever needs much memory again and again, some MiB at a
/// time. glibc gives such memory back to the kernel as soon as a few of them are free, and each
/// then comes back page by page, cleared: a fifth of the processor time of a copy into an image.
/// Thresholds that the user has set (mallopt(3)) stay as they are.
void keep_freed_memory();

/// Gives back what malloc keeps free by now; does nothing unless keep_freed_memory() was called.
/// What runs meanwhile is not disturbed, but gets its next memory from the kernel.
void give_back_kept_memory();

}  // namespace blockhaul
