#include "io/file_lease.h"

#include <fcntl.h>

#include <cerrno>
#include <csignal>

namespace blockhaul {

Writers take_lease(int descriptor) noexcept {
  // Who is kept waiting has the kernel send a signal: one that nobody minds, in place of SIGIO,
  // which ends a process that does not expect it.
  if (::fcntl(descriptor, F_SETSIG, SIGURG) != 0) return Writers::unknown;
  if (::fcntl(descriptor, F_SETLEASE, F_RDLCK) == 0) return Writers::none;
  return errno == EAGAIN ? Writers::some : Writers::unknown;
}

Writers who_writes(int descriptor) noexcept {
  const Writers writers = take_lease(descriptor);
  // A lease that could not be given back would go with the descriptor.
  if (writers == Writers::none) (void)::fcntl(descriptor, F_SETLEASE, F_UNLCK);
  return writers;
}

}  // namespace blockhaul
