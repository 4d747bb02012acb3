#include "io/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <string_view>

namespace blockhaul {
namespace {

/// Bytes: a process's number and a newline.
constexpr off_t kMostContent = 24;

Error refusal(int number, std::string_view what = {}) {
  Error error = Error::from_errno(number, Operation::open, what);
  // Of a volume these would say something else.
  if (number == ELOOP || number == EISDIR) error.code = "ERR_INVALID_ARGUMENT";
  return error;
}

/// Whether the lock is ours now; an errno where it cannot be had at all.
Result<bool> lock(int descriptor) {
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return refusal(errno, "flock");
  }
  return true;
}

void set_content(int descriptor, std::string_view content) {
  // Who holds it is good to know; a full file system is no reason not to hold it.
  if (::ftruncate(descriptor, 0) != 0) return;
  [[maybe_unused]] const ssize_t written = ::pwrite(descriptor, content.data(), content.size(), 0);
}

}  // namespace

Result<std::unique_ptr<FileLock>> FileLock::take(const std::string& path) {
  // O_NONBLOCK: a FIFO shall be refused below, not waited for.
  constexpr int kFlags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  UniqueDescriptor opened(::open(path.c_str(), kFlags, 0600));
  if (!opened) return refusal(errno);
  struct stat status {};
  if (::fstat(opened.get(), &status) != 0) return refusal(errno);
  if (!S_ISREG(status.st_mode)) return refusal(EINVAL, "not a regular file");
  if (status.st_size > kMostContent) return refusal(EINVAL, "holds more than a lock does");
  auto ours = lock(opened.get());
  if (!ours) return ours.error();
  if (!ours.value()) return std::unique_ptr<FileLock>();
  return std::unique_ptr<FileLock>(new FileLock(std::move(opened)));
}

FileLock::FileLock(UniqueDescriptor descriptor) : descriptor_(std::move(descriptor)) {
  set_content(descriptor_.get(), std::to_string(::getpid()) + "\n");
}

FileLock::~FileLock() {
  set_content(descriptor_.get(), {});
  // A child that was forked and has not come to its exec yet has the descriptor too: to close ours
  // would leave the lock to it for that while.
  ::flock(descriptor_.get(), LOCK_UN);
}

}  // namespace blockhaul
