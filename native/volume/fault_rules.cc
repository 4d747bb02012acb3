#include "volume/fault_rules.h"

namespace blockhaul {
namespace {

bool touches(const FaultRule& rule, const LoggedRequest& request) {
  if (request.operation == Operation::flush) return true;
  const bool begins_behind =
      request.offset >= rule.offset && request.offset - rule.offset >= rule.length;
  const bool ends_before =
      request.offset < rule.offset && rule.offset - request.offset >= request.length;
  return !begins_behind && !ends_before;
}

bool matches(const FaultRule& rule, const LoggedRequest& request) {
  const bool right_operation =
      rule.operation ? *rule.operation == request.operation : request.operation != Operation::map;
  return right_operation && touches(rule, request);
}

}  // namespace

void FaultRules::add(const FaultRule& rule) {
  const std::lock_guard lock(mutex_);
  rules_.push_back({rule});
}

void FaultRules::clear() {
  const std::lock_guard lock(mutex_);
  rules_.clear();
}

void FaultRules::set_state(unsigned state) {
  const std::lock_guard lock(mutex_);
  state_ = state;
}

std::optional<FaultRule> FaultRules::judge(const LoggedRequest& request) {
  const std::lock_guard lock(mutex_);
  for (Armed& armed : rules_) {
    const FaultRule& rule = armed.rule;
    if (rule.state && *rule.state != state_) continue;
    if (!matches(rule, request)) continue;
    if (armed.matched++ < rule.skip || armed.hit >= rule.times) continue;
    if (rule.probability < 1 && std::generate_canonical<double, 32>(random_) >= rule.probability) {
      continue;
    }
    ++armed.hit;
    faults_.push_back(request);
    return rule;
  }
  return std::nullopt;
}

std::uint64_t FaultRules::pick(std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  return count == 0 ? 0 : random_() % count;
}

std::vector<LoggedRequest> FaultRules::faults() const {
  const std::lock_guard lock(mutex_);
  return faults_;
}

std::optional<std::uint64_t> place_beside(std::uint64_t offset, std::uint64_t length,
                                          std::uint64_t size) {
  const std::uint64_t end = offset + length;
  if (end <= size && size - end >= length) return end;
  if (offset >= length) return offset - length;
  return std::nullopt;
}

}  // namespace blockhaul
