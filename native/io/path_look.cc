#include "io/path_look.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "io/unique_descriptor.h"

namespace blockhaul {
namespace {

constexpr std::int64_t kNanoseconds = 1'000'000'000;

std::int64_t nanoseconds(const statx_timestamp& time) {
  return time.tv_sec * kNanoseconds + time.tv_nsec;
}

PathLook from(const struct statx& found) {
  PathLook look;
  look.is_file = S_ISREG(found.stx_mode);
  look.is_device = S_ISBLK(found.stx_mode);
  look.major = look.is_device ? found.stx_rdev_major : found.stx_dev_major;
  look.minor = look.is_device ? found.stx_rdev_minor : found.stx_dev_minor;
  look.inode = found.stx_ino;
  look.links = found.stx_nlink;
  look.size = found.stx_size;
  if ((found.stx_mask & STATX_BTIME) != 0) look.born = nanoseconds(found.stx_btime);
  look.is_immutable = (found.stx_attributes & STATX_ATTR_IMMUTABLE) != 0;
  look.is_append_only = (found.stx_attributes & STATX_ATTR_APPEND) != 0;
  look.modified = nanoseconds(found.stx_mtime);
  look.changed = nanoseconds(found.stx_ctime);
  return look;
}

}  // namespace

Result<PathLook> look_at_descriptor(int descriptor) {
  struct statx found {};
  const unsigned wanted = STATX_BASIC_STATS | STATX_BTIME;
  if (::statx(descriptor, "", AT_EMPTY_PATH, wanted, &found) != 0) {
    return Error::from_errno(errno, Operation::open);
  }
  return from(found);
}

Result<std::optional<PathLook>> look_at_path(const std::string& path) {
  using Look = std::optional<PathLook>;
  struct statx found {};
  const unsigned wanted = STATX_BASIC_STATS | STATX_BTIME;
  if (::statx(AT_FDCWD, path.c_str(), AT_STATX_SYNC_AS_STAT, wanted, &found) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return Look();
    return Error::from_errno(errno, Operation::open);
  }
  return Look(from(found));
}

Result<bool> sync_path(const std::string& path) {
  const UniqueDescriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!file || ::fsync(file.get()) != 0) return Error::from_errno(errno, Operation::flush);
  return true;
}

}  // namespace blockhaul
