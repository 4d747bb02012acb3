#include "io/file_hold.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace blockhaul {

Result<std::shared_ptr<FileHold>> FileHold::take(const std::string& path) {
  constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  UniqueDescriptor file(::open(path.c_str(), kFlags));
  if (!file) return Error::from_errno(errno, Operation::open);
  auto look = look_at_descriptor(file.get());
  if (!look) return look.error();
  if (!look.value().is_file) return Error::from_errno(EINVAL, Operation::open, "no regular file");
  std::shared_ptr<FileHold> hold(new FileHold(std::move(file), look.value()));
  hold->writers_ = take_lease(hold->file_.get());
  return hold;
}

bool FileHold::is_whole() const {
  // While somebody waits for the lease, the kernel says that there is none.
  return writers_ == Writers::none && ::fcntl(file_.get(), F_GETLEASE) == F_RDLCK;
}

Result<bool> FileHold::is_at(const std::string& path) const {
  struct stat own {};
  struct stat found {};
  if (::fstat(file_.get(), &own) != 0) return Error::from_errno(errno, Operation::open);
  if (::lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return Error::from_errno(errno, Operation::open);
  }
  return own.st_dev == found.st_dev && own.st_ino == found.st_ino;
}

Result<bool> FileHold::unlink(const std::string& path) const {
  auto is_ours = is_at(path);
  if (!is_ours || !is_ours.value()) return is_ours;
  if (::unlink(path.c_str()) != 0) return Error::from_errno(errno, Operation::open, "unlink");
  return true;
}

Result<bool> rename_to_new(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  return Error::from_errno(errno, Operation::open, "rename");
}

}  // namespace blockhaul
