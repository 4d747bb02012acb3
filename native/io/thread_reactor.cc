#include "io/thread_reactor.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace blockhaul {
namespace {

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
      case FileOperation::Kind::sync_data:
        result = ::fdatasync(operation.descriptor);
        break;
    }
    if (result >= 0) return result;
    if (errno != EINTR) return -errno;
  }
}

}  // namespace

Result<std::unique_ptr<Reactor>> ThreadReactor::create(unsigned operations) {
  try {
    return std::unique_ptr<Reactor>(new ThreadReactor(std::clamp(operations, 1U, 16U)));
  } catch (const std::system_error& error) {
    return Error::from_errno(error.code().value(), Operation::open, "I/O threads");
  }
}

ThreadReactor::ThreadReactor(unsigned workers) {
  try {
    for (unsigned i = 0; i < workers; ++i) workers_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    if (workers_.empty()) throw;  // fewer than asked for will do
  }
}

ThreadReactor::~ThreadReactor() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  work_ready_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadReactor::submit(FileOperation& operation) {
  operation.next = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_last_ == nullptr) {
      waiting_first_ = &operation;
    } else {
      waiting_last_->next = &operation;
    }
    waiting_last_ = &operation;
  }
  work_ready_.notify_one();
}

void ThreadReactor::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_ready_.wait(lock, [this] { return waiting_first_ != nullptr || ending_; });
    if (waiting_first_ == nullptr) return;
    FileOperation& operation = *waiting_first_;
    waiting_first_ = operation.next;
    if (waiting_first_ == nullptr) waiting_last_ = nullptr;
    lock.unlock();
    operation.result = perform(operation);
    lock.lock();
    operation.next = done_;
    done_ = &operation;
    reactor_ready_.notify_one();
  }
}

void ThreadReactor::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  reactor_ready_.notify_one();
}

void ThreadReactor::wait(const Clock::time_point* deadline) {
  FileOperation* done = nullptr;
  {
    std::unique_lock lock(mutex_);
    const auto ready = [this] { return done_ != nullptr || woken_; };
    if (deadline == nullptr) {
      reactor_ready_.wait(lock, ready);
    } else if (*deadline > now()) {
      reactor_ready_.wait_until(lock, *deadline, ready);
    }
    woken_ = false;
    done = done_;
    done_ = nullptr;
  }
  while (done != nullptr) {
    FileOperation& operation = *done;
    done = operation.next;
    operation.on_done(operation, operation.result);
  }
}

}  // namespace blockhaul
