#include "io/region_lock.h"

#include <fcntl.h>

namespace blockhaul {

int set_region(int descriptor, short type, RegionLock::Region region) noexcept {
  struct flock wanted {};
  wanted.l_type = type;
  wanted.l_whence = SEEK_SET;
  wanted.l_start = static_cast<off_t>(region.start);
  wanted.l_len = static_cast<off_t>(region.length);
  while (::fcntl(descriptor, F_OFD_SETLK, &wanted) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

Result<std::unique_ptr<RegionLock>> RegionLock::take(const std::string& path, Region region,
                                                     LockMode mode) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  UniqueDescriptor opened(::open(path.c_str(), kFlags, 0600));
  if (!opened) return Error::from_errno(errno, Operation::open);
  return take(std::move(opened), region, mode);
}

Result<std::unique_ptr<RegionLock>> RegionLock::take(UniqueDescriptor opened, Region region,
                                                     LockMode mode) {
  const short type = mode == LockMode::exclusive ? F_WRLCK : F_RDLCK;
  const int error = set_region(opened.get(), type, region);
  if (error == EAGAIN || error == EACCES) return std::unique_ptr<RegionLock>();
  if (error != 0) return Error::from_errno(error, Operation::open, "lock");
  return std::unique_ptr<RegionLock>(new RegionLock(std::move(opened)));
}

RegionLock::~RegionLock() {
  // A child that was forked and has not come to its exec yet has the descriptor too: to close ours
  // would leave the lock to it for that while. Length 0: to the end, however far.
  (void)set_region(descriptor_.get(), F_UNLCK, {.start = 0, .length = 0});
}

}  // namespace blockhaul
