#pragma once

namespace blockhaul {

/// While one of these exists, this process has secrets in its memory: the kernel writes no core
/// dump of it, neither to a file nor to a collector, and lets no other process look into it but one
/// with CAP_SYS_PTRACE, not even one of the same user. Its own threads may still use /proc/self.
/// When the last one goes, all is as it was before the first.
class Undumpable {
 public:
  Undumpable();
  ~Undumpable();
  Undumpable(const Undumpable&) = delete;
  Undumpable& operator=(const Undumpable&) = delete;
};

}  // namespace blockhaul
