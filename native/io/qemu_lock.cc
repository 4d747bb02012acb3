#include "io/qemu_lock.h"

#include <fcntl.h>

#include <array>

namespace blockhaul {
namespace {

constexpr std::uint64_t kDoes = 100;
constexpr std::uint64_t kForbids = 200;
constexpr std::uint64_t kRead = 0;
constexpr std::uint64_t kWrite = 1;
constexpr std::uint64_t kResize = 3;
/// Every byte that QEMU may ever use lies below.
constexpr RegionLock::Region kAll{.start = kDoes, .length = 200};

/// EAGAIN where another description has a lock of any kind on a byte.
int look_at(int descriptor, std::uint64_t byte) noexcept {
  struct flock wanted {};
  wanted.l_type = F_WRLCK;
  wanted.l_whence = SEEK_SET;
  wanted.l_start = static_cast<off_t>(byte);
  wanted.l_len = 1;
  if (::fcntl(descriptor, F_OFD_GETLK, &wanted) != 0) return errno;
  return wanted.l_type == F_UNLCK ? 0 : EAGAIN;
}

int take_all(int descriptor, LockMode mode) noexcept {
  const bool writes = mode == LockMode::exclusive;
  const std::uint64_t does = writes ? kWrite : kRead;
  // First taken, then looked at: of two at the same time, both may be refused, but never none.
  if (int error = set_region(descriptor, F_RDLCK, {.start = kDoes + does})) return error;
  for (const std::uint64_t act : {kRead, kWrite, kResize}) {
    if (act == kRead && !writes) continue;
    if (int error = set_region(descriptor, F_RDLCK, {.start = kForbids + act})) return error;
  }
  if (int error = look_at(descriptor, kForbids + does)) return error;
  for (const std::uint64_t act : {kRead, kWrite, kResize}) {
    if (act == kRead && !writes) continue;
    if (int error = look_at(descriptor, kDoes + act)) return error;
  }
  return 0;
}

}  // namespace

int take_qemu_lock(int descriptor, LockMode mode) noexcept {
  const int error = take_all(descriptor, mode);
  if (error == 0) return 0;
  (void)set_region(descriptor, F_UNLCK, kAll);
  return error == EACCES ? EAGAIN : error;
}

}  // namespace blockhaul
