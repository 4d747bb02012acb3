#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "io/file_node.h"

namespace blockhaul {

/// A process that has a node open, or mapped into its memory.
struct FileUser {
  pid_t process = 0;
  std::string name;      ///< as the kernel has it: the program's, cut to 15 characters
  std::size_t node = 0;  ///< which of those that were asked for
};

struct ProcessScan {
  std::vector<FileUser> writers;  ///< each process once for each node
  std::vector<FileUser> readers;  ///< those that have it open and may not write to it
  std::vector<std::size_t> own;   ///< the nodes that this very process may write to
  /// One process of each mount namespace that is not ours: what it has mounted, only its own
  /// mountinfo tells.
  std::vector<pid_t> namespaces;
  /// A process could not be looked into, or their list: it may have a node open.
  bool incomplete = false;
};

/// Looks at what all other processes have open, or mapped to be written to, but for copies of
/// ourselves that are about to run a program. Those that this user may not look into are left out,
/// and that is said. Waits for no file system, however dead. Blocks for a few microseconds a
/// descriptor. `proc` is elsewhere in tests.
[[nodiscard]] ProcessScan scan_processes(std::span<const FileNode> nodes,
                                         const std::string& proc = "/proc");

}  // namespace blockhaul
