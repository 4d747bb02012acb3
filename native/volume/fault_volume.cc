#include "volume/fault_volume.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "core/page_memory.h"

namespace blockhaul {
namespace {

/// What part of a request goes to the volume below, and where.
struct Part {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::uint64_t from = 0;  ///< in the request's data
};

constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();

}  // namespace

/// A request on its way through, part by part: `inner` is what the volume below sees of it.
struct FaultVolume::Pending {
  FaultVolume* volume = nullptr;
  std::list<Pending>::iterator place{};
  Reactor* reactor = nullptr;
  Request* outer = nullptr;
  std::vector<Part> parts{};
  std::size_t part = 0;  ///< the next one
  std::span<std::byte> data{};
  std::optional<PageMemory> changed{};  ///< data that is not what was asked to be written
  std::size_t flips = kNowhere;         ///< the byte of what is read that gets a wrong bit
  int error = 0;                        ///< reported in place of success
  bool hangs = false;
  Request inner{};
  Timer timer{};
};

FaultVolume::FaultVolume(Volume& inner, std::uint64_t seed) : inner_(inner), rules_(seed) {}

FaultVolume::~FaultVolume() {
  if (pending_.empty()) return;
  std::fprintf(stderr, "fault volume: destroyed with %zu requests in flight\n", pending_.size());
  std::abort();
}

void FaultVolume::submit(Reactor& reactor, Request& request) {
  const auto rule = rules_.judge({request.operation, request.offset, request.length});
  Pending* pending = nullptr;
  {
    const std::lock_guard lock(mutex_);
    ++requests_;
    pending = &pending_.emplace_back();
    pending->place = std::prev(pending_.end());
  }
  pending->volume = this;
  pending->reactor = &reactor;
  pending->outer = &request;
  pending->data = request.data;
  pending->parts = {{request.offset, request.length, 0}};
  request.error = 0;
  pending->inner.operation = request.operation;
  pending->inner.context = pending;
  pending->inner.on_done = [](Request& done) noexcept {
    Pending& through = *static_cast<Pending*>(done.context);
    if (done.error != 0) return through.volume->complete(through, done.error);
    through.volume->next_part(through);
  };
  if (rule) apply(*pending, *rule);
  if (!pending->hangs && !pending->timer.running()) next_part(*pending);
}

void FaultVolume::apply(Pending& pending, const FaultRule& rule) {
  const Request& request = *pending.outer;
  const std::uint64_t block = std::max(info().block_size, 1U);
  switch (rule.action) {
    case FaultRule::Action::refuse:
      pending.parts.clear();
      pending.error = rule.error;
      break;
    case FaultRule::Action::distort:
      pending.error = rule.error;
      break;
    case FaultRule::Action::hang: {
      const std::lock_guard lock(mutex_);
      pending.hangs = true;
      break;
    }
    case FaultRule::Action::delay:
      pending.timer.start(
          *pending.reactor, pending.reactor->now() + rule.delay,
          [](void* context) noexcept {
            Pending& due = *static_cast<Pending*>(context);
            due.volume->next_part(due);
          },
          &pending);
      break;
    case FaultRule::Action::shorten:
      pending.parts.front().length = rules_.pick(request.length / block) * block;
      if (pending.parts.front().length == 0) pending.parts.clear();
      pending.error = rule.error;
      break;
    case FaultRule::Action::tear:
      tear(pending);
      pending.error = rule.error;
      break;
    case FaultRule::Action::drop:
      pending.parts.clear();
      break;
    case FaultRule::Action::corrupt:
      if (request.data.empty()) break;
      pending.flips = rules_.pick(request.data.size());
      if (request.operation == Operation::read) break;
      if (auto copy = PageMemory::create(request.data.size())) {
        pending.changed = std::move(copy.value());
        pending.data = pending.changed->bytes().first(request.data.size());
        std::copy(request.data.begin(), request.data.end(), pending.data.begin());
        pending.data[pending.flips] ^= std::byte{1};
      }
      break;
    case FaultRule::Action::misdirect: {
      if (request.operation == Operation::flush) break;
      const auto elsewhere = place_beside(request.offset, request.length, info().size);
      if (elsewhere) pending.parts.front().offset = *elsewhere;
      if (!elsewhere) pending.parts.clear();
      break;
    }
  }
}

/// Leaves some blocks of a request, and the first half of one where the medium knows half blocks.
void FaultVolume::tear(Pending& pending) {
  const Part all = pending.parts.front();
  pending.parts.clear();
  const std::uint64_t unit = std::max<std::uint64_t>(info().block_size, 512);
  const std::uint64_t torn = rules_.pick(all.length / unit + 1);
  for (std::uint64_t at = 0, index = 0; at < all.length; at += unit, ++index) {
    std::uint64_t length = std::min(unit, all.length - at);
    if (index == torn && info().block_size <= length / 2) {
      length /= 2;
    } else if (index == torn || rules_.pick(2) == 0) {
      continue;
    }
    pending.parts.push_back({all.offset + at, length, at});
  }
}

/// Sends what is left of a request; when nothing is, it is done.
void FaultVolume::next_part(Pending& pending) {
  Request& inner = pending.inner;
  if (pending.part == pending.parts.size()) {
    Request& outer = *pending.outer;
    if (pending.flips != kNowhere && outer.operation == Operation::read)
      outer.data[pending.flips] ^= std::byte{1};
    // Nothing was sent at all, and nothing may complete inside submit().
    if (pending.parts.empty()) {
      ++pending.part;
      return complete_later(*pending.reactor, inner, pending.error);
    }
    return complete(pending, pending.error);
  }
  if (pending.part > pending.parts.size()) return complete(pending, 0);
  const Part& part = pending.parts[pending.part++];
  inner.offset = part.offset;
  inner.length = part.length;
  inner.data = pending.data.empty() ? pending.data : pending.data.subspan(part.from, part.length);
  inner_.submit(*pending.reactor, inner);
}

void FaultVolume::complete(Pending& pending, int error) {
  Request& outer = *pending.outer;
  {
    const std::lock_guard lock(mutex_);
    pending_.erase(pending.place);
  }
  outer.error = error;
  outer.on_done(outer);
}

void FaultVolume::release() {
  std::vector<Pending*> hanging;
  {
    const std::lock_guard lock(mutex_);
    for (Pending& pending : pending_) {
      if (!pending.hangs) continue;
      pending.hangs = false;
      hanging.push_back(&pending);
    }
  }
  for (Pending* pending : hanging) next_part(*pending);
}

Result<std::vector<Extent>> FaultVolume::map(std::uint64_t offset, std::uint64_t length) {
  const auto rule = rules_.judge({Operation::map, offset, length});
  if (rule) return Error::from_errno(rule->error, Operation::map);
  return inner_.map(offset, length);
}

std::uint64_t FaultVolume::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::size_t FaultVolume::in_flight() const {
  const std::lock_guard lock(mutex_);
  return pending_.size();
}

}  // namespace blockhaul
