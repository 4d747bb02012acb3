#pragma once

#include <memory>
#include <string>

#include "core/result.h"
#include "io/unique_descriptor.h"

namespace blockhaul {

/// An exclusive lock between processes, and between the parts of one process, on a file that stays
/// behind: removing it would let two in, one through the old file and one through the new.
///
/// It is flock(2)'s. That belongs to what was opened, rather than to the process as the locks of
/// fcntl(F_SETLK) do: the kernel ends it with the last descriptor, however the process dies; a
/// second holder in the same process is refused; and closing another descriptor of the file, as
/// whoever reads it does, loses nothing. F_OFD_SETLK would do all that too, but hides its holder
/// from lslocks(8), and flock(1) could not take part.
///
/// While it is held, the file names the holder's process, for people.
class FileLock {
 public:
  /// Null where somebody else holds it. Makes the file where it is missing, for its owner only;
  /// refuses a symbolic link, and a file that holds more than a lock does. Does not wait.
  static Result<std::unique_ptr<FileLock>> take(const std::string& path);
  ~FileLock();

  /// Closed when a program is run, unless it is handed on: then the lock lasts, should this process
  /// be killed, until that program has ended too. `~FileLock` frees it whoever else has it.
  int descriptor() const { return descriptor_.get(); }

  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(UniqueDescriptor descriptor);

  UniqueDescriptor descriptor_;
};

}  // namespace blockhaul
