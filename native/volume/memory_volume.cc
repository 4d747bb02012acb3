#include "volume/memory_volume.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/digest.h"

namespace blockhaul {
namespace {

constexpr std::byte kSpoiled{0xa5};

bool moves_data(Operation operation) {
  return operation == Operation::read || operation == Operation::write;
}

bool overlap(const Request& one, const Request& other) {
  return one.offset < other.offset + other.length && other.offset < one.offset + one.length;
}

VolumeInfo describe(const MemoryVolumeOptions& options) {
  VolumeInfo info;
  info.kind = "memory";
  info.name = "memory:";
  info.size = options.size;
  info.block_size = options.block_size;
  info.zero_state = options.zero_state;
  info.read_only = false;
  info.maps_extents = !options.extents.empty();
  info.zeroes = options.zeroes;
  return info;
}

}  // namespace

struct MemoryVolume::Pending {
  MemoryVolume* volume = nullptr;
  std::list<Pending>::iterator place{};
  Request* request = nullptr;
  DigestValue data{};  ///< of a write, as it was submitted
  Timer timer{};
};

MemoryVolume::MemoryVolume(const MemoryVolumeOptions& options)
    : info_(describe(options)), options_(options), bytes_(options.size), random_(options.seed) {}

MemoryVolume::~MemoryVolume() {
  if (pending_.empty()) return;
  std::fprintf(stderr, "memory volume: destroyed with %zu requests in flight\n", pending_.size());
  std::abort();
}

void MemoryVolume::submit(Reactor& reactor, Request& request) {
  const std::lock_guard lock(mutex_);
  request.error = 0;
  log_.push_back({request.operation, request.offset, request.length});
  check(request);

  Pending& pending = pending_.emplace_back();
  pending.volume = this;
  pending.place = std::prev(pending_.end());
  pending.request = &request;
  if (moves_data(request.operation)) bytes_in_flight_ += request.length;
  if (request.operation == Operation::read)
    std::fill(request.data.begin(), request.data.end(), kSpoiled);
  if (request.operation == Operation::write)
    pending.data = digest_bytes(DigestKind::xxh3, request.data);
  most_in_flight_ = std::max(most_in_flight_, pending_.size());
  most_bytes_in_flight_ = std::max(most_bytes_in_flight_, bytes_in_flight_);

  const auto range = options_.longest_delay - options_.shortest_delay;
  const auto extra =
      std::chrono::nanoseconds(random_() % static_cast<std::uint64_t>(range.count() + 1));
  pending.timer.start(
      reactor, reactor.now() + options_.shortest_delay + extra,
      [](void* context) noexcept {
        Pending& due = *static_cast<Pending*>(context);
        due.volume->complete(due);
      },
      &pending);
}

/// What any volume may expect of a request, and of those that are in flight beside it.
void MemoryVolume::check(const Request& request) {
  const LoggedRequest logged{request.operation, request.offset, request.length};
  if (request.offset > options_.size || request.length > options_.size - request.offset)
    fault(logged, "leaves the volume");
  if (moves_data(request.operation) && request.data.size() != request.length)
    fault(logged, "has data of another length");
  if (request.operation != Operation::flush && request.length == 0) fault(logged, "is empty");
  for (const Pending& other : pending_) {
    if (other.request == &request) fault(logged, "is in flight already");
    const bool both_read =
        request.operation == Operation::read && other.request->operation == Operation::read;
    if (!both_read && overlap(request, *other.request)) fault(logged, "overlaps one in flight");
  }
}

void MemoryVolume::complete(Pending& pending) {
  Request& request = *pending.request;
  {
    const std::lock_guard lock(mutex_);
    if (request.operation == Operation::write &&
        digest_bytes(DigestKind::xxh3, request.data) != pending.data) {
      fault({request.operation, request.offset, request.length}, "had its data changed in flight");
    }
    if (moves_data(request.operation)) bytes_in_flight_ -= request.length;
    perform(request);
    pending_.erase(pending.place);
  }
  if (observer_) observer_({request.operation, request.offset, request.length});
  request.on_done(request);
}

void MemoryVolume::perform(Request& request) {
  if (request.operation == Operation::flush) return;
  if (request.offset > options_.size || request.length > options_.size - request.offset) {
    request.error = EINVAL;
    return;
  }
  std::byte* place = bytes_.data() + request.offset;
  switch (request.operation) {
    case Operation::read:
      std::memcpy(request.data.data(), place, request.length);
      break;
    case Operation::write:
      std::memcpy(place, request.data.data(), request.length);
      break;
    case Operation::zero:
      if (options_.refuses_zeroes || !options_.zeroes) {
        request.error = ENOTSUP;
      } else {
        std::fill_n(place, request.length, std::byte{});
      }
      break;
    default:
      request.error = EINVAL;
  }
}

Result<std::vector<Extent>> MemoryVolume::map(std::uint64_t offset, std::uint64_t length) {
  if (!info_.maps_extents) return Volume::map(offset, length);
  std::vector<Extent> answer = cover_range(options_.extents, offset, length, ExtentKind::data);
  answer.resize(std::min(answer.size(), options_.extents_per_answer));
  return answer;
}

void MemoryVolume::fault(const LoggedRequest& request, const std::string& what) {
  faults_.push_back(std::string(name_of(request.operation)) + " of " +
                    std::to_string(request.length) + " at " + std::to_string(request.offset) + " " +
                    what);
}

std::vector<LoggedRequest> MemoryVolume::log() const {
  const std::lock_guard lock(mutex_);
  return log_;
}

std::size_t MemoryVolume::requests() const {
  const std::lock_guard lock(mutex_);
  return log_.size();
}

std::vector<std::string> MemoryVolume::faults() const {
  const std::lock_guard lock(mutex_);
  return faults_;
}

std::size_t MemoryVolume::in_flight() const {
  const std::lock_guard lock(mutex_);
  return pending_.size();
}

std::size_t MemoryVolume::most_in_flight() const {
  const std::lock_guard lock(mutex_);
  return most_in_flight_;
}

std::uint64_t MemoryVolume::most_bytes_in_flight() const {
  const std::lock_guard lock(mutex_);
  return most_bytes_in_flight_;
}

}  // namespace blockhaul
