#include "volume/fault_volume.h"

#include <cstdio>
#include <cstdlib>

namespace blockhaul {
namespace {

bool touches(const FaultRule& rule, Operation operation, std::uint64_t offset,
             std::uint64_t length) {
  if (operation == Operation::flush) return true;
  const bool begins_behind = offset >= rule.offset && offset - rule.offset >= rule.length;
  const bool ends_before = offset < rule.offset && rule.offset - offset >= length;
  return !begins_behind && !ends_before;
}

bool matches(const FaultRule& rule, Operation operation, std::uint64_t offset,
             std::uint64_t length) {
  const bool right_operation =
      rule.operation ? *rule.operation == operation : operation != Operation::map;
  return right_operation && touches(rule, operation, offset, length);
}

}  // namespace

/// A request on its way through: `inner` is what the volume below sees of it.
struct FaultVolume::Pending {
  FaultVolume* volume = nullptr;
  std::list<Pending>::iterator place{};
  Reactor* reactor = nullptr;
  Request* outer = nullptr;
  Request inner{};
  int distorted = 0;  ///< reported in place of success
  bool hangs = false;
};

FaultVolume::FaultVolume(Volume& inner) : inner_(inner) {}

FaultVolume::~FaultVolume() {
  if (pending_.empty()) return;
  std::fprintf(stderr, "fault volume: destroyed with %zu requests in flight\n", pending_.size());
  std::abort();
}

void FaultVolume::add(const FaultRule& rule) {
  const std::lock_guard lock(mutex_);
  rules_.push_back({rule});
}

std::optional<FaultRule> FaultVolume::judge(Operation operation, std::uint64_t offset,
                                            std::uint64_t length) {
  for (Armed& armed : rules_) {
    if (!matches(armed.rule, operation, offset, length)) continue;
    const std::uint64_t nth = armed.matched++;
    if (nth < armed.rule.skip || nth - armed.rule.skip >= armed.rule.times) continue;
    faults_.push_back({operation, offset, length});
    return armed.rule;
  }
  return std::nullopt;
}

void FaultVolume::submit(Reactor& reactor, Request& request) {
  Pending* pending = nullptr;
  std::optional<FaultRule> rule;
  {
    const std::lock_guard lock(mutex_);
    ++requests_;
    rule = judge(request.operation, request.offset, request.length);
    pending = &pending_.emplace_back();
    pending->volume = this;
    pending->place = std::prev(pending_.end());
  }
  pending->reactor = &reactor;
  pending->outer = &request;
  request.error = 0;
  Request& inner = pending->inner;
  inner.operation = request.operation;
  inner.offset = request.offset;
  inner.length = request.length;
  inner.data = request.data;
  inner.context = pending;
  inner.on_done = [](Request& done) noexcept {
    Pending& through = *static_cast<Pending*>(done.context);
    const bool hides = done.error == 0 && through.distorted != 0;
    through.volume->complete(through, hides ? through.distorted : done.error);
  };
  if (!rule) return inner_.submit(reactor, inner);
  switch (rule->action) {
    case FaultRule::Action::refuse:
      return complete_later(reactor, inner, rule->error);
    case FaultRule::Action::distort:
      pending->distorted = rule->error;
      return inner_.submit(reactor, inner);
    case FaultRule::Action::hang: {
      const std::lock_guard lock(mutex_);
      pending->hangs = true;
      return;
    }
  }
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
  for (Pending* pending : hanging) inner_.submit(*pending->reactor, pending->inner);
}

Result<std::vector<Extent>> FaultVolume::map(std::uint64_t offset, std::uint64_t length) {
  std::optional<FaultRule> rule;
  {
    const std::lock_guard lock(mutex_);
    rule = judge(Operation::map, offset, length);
  }
  if (rule) return Error::from_errno(rule->error, Operation::map);
  return inner_.map(offset, length);
}

std::uint64_t FaultVolume::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::vector<LoggedRequest> FaultVolume::faults() const {
  const std::lock_guard lock(mutex_);
  return faults_;
}

std::size_t FaultVolume::in_flight() const {
  const std::lock_guard lock(mutex_);
  return pending_.size();
}

}  // namespace blockhaul
