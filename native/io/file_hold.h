#pragma once

#include <memory>
#include <string>

#include "core/result.h"
#include "io/file_lease.h"
#include "io/path_look.h"
#include "io/unique_descriptor.h"

namespace blockhaul {

/// An image file that is to lose its name: which one it is, whatever has the name by then.
///
/// Where the kernel grants a read lease, nobody has the file open for writing, and whoever opens it
/// so waits until the hold is released, at the most /proc/sys/fs/lease-break-time seconds; the hold
/// is then not whole any more. A mapping keeps its file open for the kernel, so it counts as a
/// writer.
class FileHold {
 public:
  /// ENOENT; ELOOP of a symbolic link; EINVAL of what is no regular file. Changes nothing.
  static Result<std::shared_ptr<FileHold>> take(const std::string& path);

  [[nodiscard]] const PathLook& look() const { return look_; }
  /// When it was taken.
  [[nodiscard]] Writers writers() const { return writers_; }
  /// The lease was granted, and nobody waits for it.
  [[nodiscard]] bool is_whole() const;
  /// Whether a path is a name of this file, itself and through no link.
  [[nodiscard]] Result<bool> is_at(const std::string& path) const;
  /// Removes a name of this file. False where the path is no name of it: nothing was removed.
  [[nodiscard]] Result<bool> unlink(const std::string& path) const;

  FileHold(const FileHold&) = delete;
  FileHold& operator=(const FileHold&) = delete;
  ~FileHold() = default;

 private:
  FileHold(UniqueDescriptor file, PathLook look) : file_(std::move(file)), look_(look) {}

  UniqueDescriptor file_;
  PathLook look_;
  Writers writers_ = Writers::unknown;
};

/// Gives a file another name, and overwrites none: EEXIST. EINVAL where the file system cannot
/// promise that.
[[nodiscard]] Result<bool> rename_to_new(const std::string& from, const std::string& to);

}  // namespace blockhaul
