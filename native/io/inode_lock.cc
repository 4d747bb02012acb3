#include "io/inode_lock.h"

#include <cerrno>

#include "io/qemu_lock.h"

namespace blockhaul {
namespace {

/// A byte of our own, far from those that QEMU and libvirt use: "blockh".
constexpr RegionLock::Region kOurs{.start = 0x626c6f636b68};

/// What a file system without locks answers; ENOLCK also where a server for them is missing.
bool says_that_it_has_none(int number) {
  return number == ENOLCK || number == EOPNOTSUPP || number == ENOSYS || number == EINVAL;
}

}  // namespace

Result<InodeLock> InodeLock::take(UniqueDescriptor opened, LockMode mode) {
  auto ours = RegionLock::take(std::move(opened), kOurs, mode);
  if (!ours) {
    if (!says_that_it_has_none(ours.error().number)) return ours.error();
    return InodeLock{.state = State::unlockable, .error = ours.error().number};
  }
  if (!ours.value()) return InodeLock{.state = State::taken};
  const int qemus = take_qemu_lock(ours.value()->descriptor(), mode);
  if (qemus != 0 && qemus != EAGAIN) return InodeLock{.state = State::unlockable, .error = qemus};
  const State state = qemus == 0 ? State::locked : State::taken_by_qemu;
  return InodeLock{.state = state, .lock = std::move(ours.value())};
}

std::string_view name_of(InodeLock::State state) {
  switch (state) {
    case InodeLock::State::locked:
      return "locked";
    case InodeLock::State::taken:
      return "taken";
    case InodeLock::State::taken_by_qemu:
      return "taken-by-qemu";
    case InodeLock::State::unlockable:
      break;
  }
  return "unlockable";
}

}  // namespace blockhaul
