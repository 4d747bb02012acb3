#include "io/region_lock.h"

#include <fcntl.h>

namespace blockhaul {

Result<std::unique_ptr<RegionLock>> RegionLock::take(const std::string& path, std::uint64_t place) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  UniqueDescriptor opened(::open(path.c_str(), kFlags, 0600));
  if (!opened) return Error::from_errno(errno, Operation::open);
  struct flock region {};
  region.l_type = F_WRLCK;
  region.l_whence = SEEK_SET;
  region.l_start = static_cast<off_t>(place);
  region.l_len = 1;
  while (::fcntl(opened.get(), F_OFD_SETLK, &region) != 0) {
    if (errno == EAGAIN || errno == EACCES) return std::unique_ptr<RegionLock>();
    if (errno != EINTR) return Error::from_errno(errno, Operation::open, "lock");
  }
  return std::unique_ptr<RegionLock>(new RegionLock(std::move(opened)));
}

}  // namespace blockhaul
