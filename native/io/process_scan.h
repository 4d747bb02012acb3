#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "io/file_node.h"

namespace blockhaul {

/// A process that may write to a node.
struct FileWriter {
  pid_t process = 0;
  std::string name;      ///< as the kernel has it: the program's, cut to 15 characters
  std::size_t node = 0;  ///< which of those that were asked for
};

struct ProcessScan {
  std::vector<FileWriter> writers;  ///< each process once for each node
  /// One process of each mount namespace that is not ours: what it has mounted, only its own
  /// mountinfo tells.
  std::vector<pid_t> namespaces;
};

/// Looks at what all other processes have open, but for copies of ourselves that are about to run a
/// program. Those that this user may not look into are left
/// out. Waits for no file system, however dead. Blocks for a few microseconds a descriptor.
/// `proc` is elsewhere in tests.
[[nodiscard]] ProcessScan scan_processes(std::span<const FileNode> nodes,
                                         const std::string& proc = "/proc");

}  // namespace blockhaul
