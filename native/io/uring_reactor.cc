#include "io/uring_reactor.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

namespace blockhaul {
namespace {

/// The newest set of flags first; a kernel that does not know one answers EINVAL.
constexpr std::array kSetups = {
    // Completion work runs when this thread asks for it, not in the middle of a digest (6.1).
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_R_DISABLED,  // 5.19
    IORING_SETUP_R_DISABLED + 0U,
};

[[noreturn]] void give_up(const char* call, int number) {
  // The ring is this process's own memory: there is no state to go on from.
  std::fprintf(stderr, "blockhaul: %s: %s\n", call,
               std::generic_category().message(number).c_str());
  std::abort();
}

}  // namespace

Result<std::unique_ptr<Reactor>> UringReactor::create(unsigned operations) {
  std::unique_ptr<UringReactor> reactor(new UringReactor());
  // One place more for the wake-up.
  const unsigned entries = std::clamp(operations + 1, 8U, 4096U);
  reactor->limit_ = entries - 1;
  int result = -EINVAL;
  for (unsigned flags : kSetups) {
    io_uring_params parameters{};
    parameters.flags = flags | IORING_SETUP_CLAMP;
    result = io_uring_queue_init_params(entries, &reactor->ring_, &parameters);
    if (result != -EINVAL) break;
  }
  if (result < 0) return Error::from_errno(-result, Operation::open, "io_uring");
  reactor->ring_made_ = true;
  // Before 5.11, liburing waits with a time limit by way of a timeout of its own in the ring.
  if ((reactor->ring_.features & IORING_FEAT_EXT_ARG) == 0)
    return Error::from_errno(ENOSYS, Operation::open, "io_uring of this kernel");
  reactor->disabled_ = true;
  reactor->wake_descriptor_ = ::eventfd(0, EFD_CLOEXEC);
  if (reactor->wake_descriptor_ < 0) return Error::from_errno(errno, Operation::open, "eventfd");
  return std::unique_ptr<Reactor>(std::move(reactor));
}

UringReactor::~UringReactor() {
  if (ring_made_) io_uring_queue_exit(&ring_);
  if (wake_descriptor_ >= 0) ::close(wake_descriptor_);
}

void UringReactor::enter() {
  if (!disabled_) return;
  const int result = io_uring_enable_rings(&ring_);
  if (result < 0) give_up("io_uring_enable_rings", -result);
  disabled_ = false;
  watch_for_wake();
}

void UringReactor::watch_for_wake() {
  io_uring_sqe* entry = next_entry();
  io_uring_prep_read(entry, wake_descriptor_, &wake_count_, sizeof wake_count_, 0);
  io_uring_sqe_set_data(entry, nullptr);
}

void UringReactor::wake() {
  const std::uint64_t one = 1;
  // It can only fail when 2^64 - 2 wake-ups are waiting, and then the reactor wakes anyway.
  [[maybe_unused]] const ssize_t written = ::write(wake_descriptor_, &one, sizeof one);
}

io_uring_sqe* UringReactor::next_entry() {
  for (;;) {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    if (entry != nullptr) return entry;
    hand_over();
  }
}

/// Gives the kernel what was prepared. EAGAIN and EBUSY say that it has no room until completions
/// are taken; those stay in the ring until the next reap().
void UringReactor::hand_over() {
  for (;;) {
    const int result = io_uring_submit(&ring_);
    if (result >= 0) return;
    if (result == -EINTR) continue;
    if (result == -EAGAIN || result == -EBUSY) {
      io_uring_get_events(&ring_);
      return;
    }
    give_up("io_uring_submit", -result);
  }
}

void UringReactor::submit(FileOperation& operation) {
  if (in_flight_ < limit_ && backlog_first_ == nullptr) {
    prepare(operation);
    return;
  }
  operation.next = nullptr;
  (backlog_last_ == nullptr ? backlog_first_ : backlog_last_->next) = &operation;
  backlog_last_ = &operation;
}

void UringReactor::prepare(FileOperation& operation) {
  // The kernel takes 32-bit lengths; a caller sees the rest as a short transfer.
  const auto length = static_cast<unsigned>(std::min<std::uint64_t>(operation.length, 1U << 30));
  io_uring_sqe* entry = next_entry();
  switch (operation.kind) {
    case FileOperation::Kind::read:
      io_uring_prep_read(entry, operation.descriptor, operation.data, length, operation.offset);
      break;
    case FileOperation::Kind::write:
      io_uring_prep_write(entry, operation.descriptor, operation.data, length, operation.offset);
      break;
    case FileOperation::Kind::allocate:
      io_uring_prep_fallocate(entry, operation.descriptor, operation.mode,
                              static_cast<off_t>(operation.offset),
                              static_cast<off_t>(operation.length));
      break;
    case FileOperation::Kind::sync_data:
      io_uring_prep_fsync(entry, operation.descriptor, IORING_FSYNC_DATASYNC);
      break;
  }
  io_uring_sqe_set_data(entry, &operation);
  ++in_flight_;
}

void UringReactor::wait(const Clock::time_point* deadline) {
  int result = 0;
  const Clock::time_point moment = now();
  if (deadline == nullptr) {
    result = io_uring_submit_and_wait(&ring_, 1);
  } else if (*deadline <= moment) {
    result = io_uring_submit_and_get_events(&ring_);
  } else {
    const auto left = *deadline - moment;
    __kernel_timespec limit{};
    limit.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(left).count();
    limit.tv_nsec =
        std::chrono::duration_cast<std::chrono::nanoseconds>(left).count() % 1'000'000'000;
    io_uring_cqe* first = nullptr;
    result = io_uring_submit_and_wait_timeout(&ring_, &first, 1, &limit, nullptr);
  }
  // EINTR: a signal; ETIME: the deadline; EAGAIN, EBUSY: completions first. All lead to reap().
  if (result < 0 && result != -EINTR && result != -ETIME && result != -EAGAIN && result != -EBUSY) {
    give_up("io_uring_submit_and_wait", -result);
  }
  reap();
}

void UringReactor::reap() {
  std::array<io_uring_cqe*, 64> batch{};
  bool woken = false;
  for (;;) {
    const unsigned count = io_uring_peek_batch_cqe(&ring_, batch.data(), batch.size());
    if (count == 0) break;
    for (unsigned i = 0; i < count; ++i) {
      auto* operation = static_cast<FileOperation*>(io_uring_cqe_get_data(batch[i]));
      if (operation == nullptr) {
        woken = true;
      } else {
        --in_flight_;
        operation->on_done(*operation, batch[i]->res);
      }
    }
    io_uring_cq_advance(&ring_, count);
  }
  if (woken) watch_for_wake();
  while (backlog_first_ != nullptr && in_flight_ < limit_) {
    FileOperation& operation = *backlog_first_;
    backlog_first_ = operation.next;
    if (backlog_first_ == nullptr) backlog_last_ = nullptr;
    prepare(operation);
  }
}

Status probe_uring() {
  auto reactor = UringReactor::create(1);
  if (!reactor) return reactor.error();
  return success();
}

}  // namespace blockhaul
