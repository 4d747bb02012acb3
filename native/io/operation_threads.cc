#include "io/operation_threads.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace blockhaul {
namespace {

std::int64_t discard(const FileOperation& operation) {
  std::array<std::uint64_t, 2> range = {operation.offset, operation.length};
  return ::ioctl(operation.descriptor, BLKDISCARD, range.data());
}

std::int64_t perform(const FileOperation& operation) {
  const auto offset = static_cast<off_t>(operation.offset);
  for (;;) {
    std::int64_t result = -1;
    switch (operation.kind) {
      case FileOperation::Kind::read:
        result = ::pread(operation.descriptor, operation.data, operation.length, offset);
        break;
      case FileOperation::Kind::write:
        result = ::pwrite(operation.descriptor, operation.data, operation.length, offset);
        break;
      case FileOperation::Kind::allocate:
        result = ::fallocate(operation.descriptor, operation.mode, offset,
                             static_cast<off_t>(operation.length));
        break;
      case FileOperation::Kind::discard:
        result = discard(operation);
        break;
      case FileOperation::Kind::sync_data:
        result = ::fdatasync(operation.descriptor);
        break;
    }
    if (result >= 0) return result;
    if (errno != EINTR) return -errno;
  }
}

}  // namespace

OperationThreads::~OperationThreads() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ready_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Status OperationThreads::start() {
  try {
    while (threads_.size() < wanted_) threads_.emplace_back([this] { work(); });
  } catch (const std::system_error& error) {
    if (threads_.empty()) {
      return Error::from_errno(error.code().value(), Operation::open, "I/O threads");
    }
  }
  return success();
}

void OperationThreads::submit(FileOperation& operation) {
  if (threads_.empty() && !start()) return finish(operation, -ENOSYS);
  operation.next = nullptr;
  {
    const std::lock_guard lock(mutex_);
    (waiting_last_ == nullptr ? waiting_first_ : waiting_last_->next) = &operation;
    waiting_last_ = &operation;
  }
  ready_.notify_one();
}

void OperationThreads::work() {
  for (;;) {
    FileOperation* operation = nullptr;
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return waiting_first_ != nullptr || ending_; });
      if (waiting_first_ == nullptr) return;
      operation = waiting_first_;
      waiting_first_ = operation->next;
      if (waiting_first_ == nullptr) waiting_last_ = nullptr;
    }
    finish(*operation, perform(*operation));
  }
}

void OperationThreads::finish(FileOperation& operation, std::int64_t result) {
  operation.result = result;
  {
    const std::lock_guard lock(mutex_);
    operation.next = done_;
    done_ = &operation;
  }
  notify_(context_);
}

FileOperation* OperationThreads::take_done() {
  const std::lock_guard lock(mutex_);
  return std::exchange(done_, nullptr);
}

}  // namespace blockhaul
