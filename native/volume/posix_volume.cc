#include "volume/posix_volume.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "core/units.h"
#include "io/file_lease.h"
#include "volume/bounce.h"

namespace blockhaul {
namespace {

constexpr std::size_t kExtentsPerAnswer = 4096;
/// How often a request is taken up again without any progress before its error is believed.
constexpr unsigned kIdleRetries = 16;

constexpr int kZeroLadder[] = {
    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
};
constexpr unsigned kZeroSteps = sizeof kZeroLadder / sizeof kZeroLadder[0];
/// Behind the step that gives space back.
constexpr unsigned kFirstThickStep = 1;

bool is_refusal(std::int64_t result) {
  return result == -EOPNOTSUPP || result == -ENOSYS || result == -ENODEV || result == -EINVAL;
}

bool try_again(std::int64_t result) { return result == -EINTR || result == -EAGAIN; }

Error became_shorter() {
  return Error{.number = EIO, .message = "the file became shorter", .operation = Operation::map};
}

void finish(Request& request, int error) {
  request.error = error;
  request.on_done(request);
}

}  // namespace

PosixVolume::PosixVolume(PosixInode inode)
    : info_(std::move(inode.info)),
      is_block_(inode.is_block),
      memory_alignment_(inode.memory_alignment),
      offset_alignment_(inode.offset_alignment),
      direct_(std::move(inode.direct)),
      buffered_(std::move(inode.buffered)),
      zero_step_(inode.thick ? kFirstThickStep : 0) {}

void PosixVolume::submit(Reactor& reactor, Request& request) {
  request.reactor = &reactor;
  request.error = 0;
  request.progress = 0;
  request.step = 0;
  request.handle = this;
  request.scratch = nullptr;
  request.file.context = &request;
  request.file.on_done = file_done;
  switch (request.operation) {
    case Operation::read:
    case Operation::write:
      if (request.length == 0) return complete_later(reactor, request, 0);
      return advance(request);
    case Operation::zero:
      request.step = zero_step_.load(std::memory_order_relaxed);
      return advance_zero(request);
    case Operation::flush:
      return advance_flush(request);
    default:
      return complete_later(reactor, request, EINVAL);
  }
}

void PosixVolume::file_done(FileOperation& operation, std::int64_t result) noexcept {
  Request& request = *static_cast<Request*>(operation.context);
  PosixVolume& volume = *static_cast<PosixVolume*>(request.handle);
  switch (request.operation) {
    case Operation::zero:
      return volume.zeroed(request, result);
    case Operation::flush:
      if (try_again(result) && request.step++ < kIdleRetries) return volume.advance_flush(request);
      return volume.flushed(request, static_cast<int>(-result));
    default:
      return volume.transferred(request, result);
  }
}

/// Starts what is left of a read or a write: all that is aligned directly, else all of it another
/// way.
void PosixVolume::advance(Request& request) {
  FileOperation& file = request.file;
  const std::uint64_t left = request.length - request.progress;
  file.kind =
      request.operation == Operation::read ? FileOperation::Kind::read : FileOperation::Kind::write;
  file.data = request.data.data() + request.progress;
  file.offset = request.offset + request.progress;
  const bool aligned = file.offset % offset_alignment_ == 0 && left >= offset_alignment_ &&
                       reinterpret_cast<std::uintptr_t>(file.data) % memory_alignment_ == 0;
  const bool direct = aligned && direct_ && !direct_refused_.load(std::memory_order_relaxed);
  if (!direct && can_bounce()) return start_bounce(request);
  file.descriptor = (direct ? direct_ : buffered_).get();
  file.length = direct ? left - left % offset_alignment_ : left;
  if (is_gated(request) &&
      !gate_.enter(request, direct ? WriteGate::Kind::direct : WriteGate::Kind::cached, resume)) {
    return;
  }
  request.reactor->submit(file);
}

/// A write whose turn has come.
void PosixVolume::resume(Task& task) noexcept {
  Request& request = *static_cast<Request*>(task.context);
  request.reactor->submit(request.file);
}

bool PosixVolume::is_gated(const Request& request) const {
  return request.operation == Operation::write && direct_;
}

void PosixVolume::transferred(Request& request, std::int64_t result) {
  if (request.scratch != nullptr) return bounced(request, result);
  if (is_gated(request)) gate_.leave();
  if (result < 0) {
    if (try_again(result) && request.step++ < kIdleRetries) return advance(request);
    // Some file systems take O_DIRECT at the open and refuse it here.
    if (result == -EINVAL && request.file.descriptor == direct_.get()) {
      direct_refused_.store(true, std::memory_order_relaxed);
      return advance(request);
    }
    return finish(request, static_cast<int>(-result));
  }
  // Nothing at all, inside the volume: it became shorter under us.
  if (result == 0) return finish(request, EIO);
  request.step = 0;
  request.progress += static_cast<std::uint64_t>(result);
  if (request.progress >= request.length) return finish(request, 0);
  advance(request);
}

bool PosixVolume::can_bounce() const {
  return is_block_ && info_.direct && !direct_refused_.load(std::memory_order_relaxed);
}

void PosixVolume::start_bounce(Request& request) {
  auto made = Bounce::around(request.offset + request.progress, request.offset + request.length,
                             offset_alignment_);
  if (!made) return complete_later(*request.reactor, request, made.error().number);
  Bounce& bounce = *made.value().release();
  request.scratch = &bounce;
  const bool writes = request.operation == Operation::write;
  if (writes && bounce.is_whole()) {
    std::memcpy(bounce.bytes(), request.data.data() + request.progress, bounce.count);
    bounce.writes_back = true;
  }
  aim_bounce(request);
  const auto kind = bounce.is_whole() ? WriteGate::Kind::direct : WriteGate::Kind::alone;
  if (writes && !gate_.enter(request, kind, resume)) return;
  request.reactor->submit(request.file);
}

/// Points the request's operation at what is left of the transfer under way.
void PosixVolume::aim_bounce(Request& request) {
  const auto& volume = *static_cast<PosixVolume*>(request.handle);
  const auto& bounce = *static_cast<Bounce*>(request.scratch);
  FileOperation& file = request.file;
  file.kind = bounce.writes_back ? FileOperation::Kind::write : FileOperation::Kind::read;
  file.descriptor = volume.direct_.get();
  file.data = bounce.memory.bytes().data() + bounce.done;
  file.offset = bounce.offset + bounce.done;
  file.length = bounce.length - bounce.done;
}

void PosixVolume::bounced(Request& request, std::int64_t result) {
  auto& bounce = *static_cast<Bounce*>(request.scratch);
  const bool writes = request.operation == Operation::write;
  if (try_again(result) && request.step++ < kIdleRetries) {
    return request.reactor->submit(request.file);
  }
  if (result <= 0) {
    end_bounce(request);
    if (result != -EINVAL) return finish(request, result == 0 ? EIO : static_cast<int>(-result));
    direct_refused_.store(true, std::memory_order_relaxed);
    return advance(request);
  }
  request.step = 0;
  bounce.done += static_cast<std::uint64_t>(result);
  std::byte* own = request.data.data() + request.progress;
  if (bounce.done == bounce.length) {
    const bool is_done = !writes || bounce.writes_back;
    if (!writes) std::memcpy(own, bounce.bytes(), bounce.count);
    if (is_done) {
      request.progress += bounce.count;
      end_bounce(request);
      if (request.progress >= request.length) return finish(request, 0);
      return advance(request);
    }
    std::memcpy(bounce.bytes(), own, bounce.count);
    bounce.writes_back = true;
    bounce.done = 0;
  }
  aim_bounce(request);
  request.reactor->submit(request.file);
}

void PosixVolume::end_bounce(Request& request) {
  delete static_cast<Bounce*>(request.scratch);
  request.scratch = nullptr;
  if (is_gated(request)) gate_.leave();
}

void PosixVolume::advance_zero(Request& request) {
  const bool aligned = !is_block_ || (request.offset % info_.block_size == 0 &&
                                      request.length % info_.block_size == 0);
  if (!aligned || request.step >= kZeroSteps || request.length == 0) {
    return complete_later(*request.reactor, request, request.length == 0 ? 0 : ENOTSUP);
  }
  FileOperation& file = request.file;
  file.kind = FileOperation::Kind::allocate;
  // The one that claimed the device: to any other, the kernel answers EBUSY where cached pages of
  // the range are dirty.
  file.descriptor = (direct_ ? direct_ : buffered_).get();
  file.mode = kZeroLadder[request.step];
  file.offset = request.offset;
  file.length = request.length;
  request.reactor->submit(file);
}

void PosixVolume::zeroed(Request& request, std::int64_t result) {
  if (result >= 0) return finish(request, 0);
  if (try_again(result) && request.progress++ < kIdleRetries) return advance_zero(request);
  if (!is_refusal(result)) return finish(request, static_cast<int>(-result));
  unsigned known = zero_step_.load(std::memory_order_relaxed);
  const unsigned next = ++request.step;
  while (known < next &&
         !zero_step_.compare_exchange_weak(known, next, std::memory_order_relaxed)) {
  }
  advance_zero(request);
}

/// One fdatasync covers both descriptors: they share the inode, and an error of the page cache's is
/// reported to the descriptor that wrote through it.
void PosixVolume::advance_flush(Request& request) {
  request.file.kind = FileOperation::Kind::sync_data;
  request.file.descriptor = buffered_.get();
  request.reactor->submit(request.file);
}

/// The kernel tells of lost pages once. All that was written since the last good flush may be among
/// them, so no later flush of this volume is a success.
void PosixVolume::flushed(Request& request, int error) {
  int lost = 0;
  if (error != 0) flush_error_.compare_exchange_strong(lost, error);
  finish(request, flush_error_.load());
}

Writers PosixVolume::writers() const {
  return is_block_ ? Writers::unknown : who_writes(buffered_.get());
}

Result<UniqueDescriptor> PosixVolume::open_again(bool to_write) {
  // By the descriptor, not by the path: that may lead to another file by now.
  const std::string path = "/proc/self/fd/" + std::to_string(buffered_.get());
  const int access = to_write ? O_RDWR : O_RDONLY;
  UniqueDescriptor opened(::open(path.c_str(), access | O_NONBLOCK | O_CLOEXEC));
  if (!opened) return Error::from_errno(errno, Operation::open, "lock");
  return opened;
}

bool PosixVolume::still_zero() const {
  return is_block_ || (::lseek(buffered_.get(), 0, SEEK_DATA) < 0 && errno == ENXIO);
}

Result<std::vector<Extent>> PosixVolume::map(std::uint64_t offset, std::uint64_t length) {
  if (is_block_) return Volume::map(offset, length);
  const std::uint64_t end = offset + length;
  std::vector<Extent> extents;
  std::uint64_t position = offset;
  while (position < end && extents.size() < kExtentsPerAnswer) {
    const off_t data = ::lseek(buffered_.get(), static_cast<off_t>(position), SEEK_DATA);
    if (data < 0) {
      if (errno != ENXIO) return Error::from_errno(errno, Operation::map);
      // No data up to the file's end; but no hole either behind an end that came nearer.
      struct stat status {};
      if (::fstat(buffered_.get(), &status) != 0) return Error::from_errno(errno, Operation::map);
      if (static_cast<std::uint64_t>(status.st_size) < end) return became_shorter();
      append_extent(extents, {position, end - position, ExtentKind::hole});
      break;
    }
    const std::uint64_t from = std::min(static_cast<std::uint64_t>(data), end);
    append_extent(extents, {position, from - position, ExtentKind::hole});
    if (from >= end) break;
    const off_t hole = ::lseek(buffered_.get(), data, SEEK_HOLE);
    if (hole < 0) return Error::from_errno(errno, Operation::map);
    const std::uint64_t to = std::clamp(static_cast<std::uint64_t>(hole), from + 1, end);
    append_extent(extents, {from, to - from, ExtentKind::data});
    position = to;
  }
  return extents;
}

}  // namespace blockhaul
