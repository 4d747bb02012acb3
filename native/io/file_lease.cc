#include "io/file_lease.h"

#include <fcntl.h>

#include <csignal>

namespace blockhaul {

bool nobody_writes(int descriptor) noexcept {
  // Who opens it in between has the kernel send a signal: one that nobody minds, in place of SIGIO,
  // which ends a process that does not expect it.
  if (::fcntl(descriptor, F_SETSIG, SIGURG) != 0) return false;
  if (::fcntl(descriptor, F_SETLEASE, F_RDLCK) != 0) return false;
  // A lease that could not be given back would go with the descriptor.
  (void)::fcntl(descriptor, F_SETLEASE, F_UNLCK);
  return true;
}

}  // namespace blockhaul
