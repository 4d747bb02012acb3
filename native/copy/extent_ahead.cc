#include "copy/extent_ahead.h"

#include <algorithm>

namespace blockhaul {
namespace {

/// Extents that wait while nothing more is asked for: enough for the copy never to wait for the
/// map.
constexpr std::size_t kReadyLimit = 8192;
constexpr std::chrono::milliseconds kInterruptEvery{10};
constexpr int kMostInterrupts = 100;

ExtentKind without_zero(ExtentKind kind) {
  return kind == ExtentKind::data ? ExtentKind::data : ExtentKind::hole;
}

/// Whether an answer is what Volume::map promises: it begins at `position`, has no gaps, does not
/// leave the range.
bool well_formed(const std::vector<Extent>& extents, std::uint64_t position, std::uint64_t end) {
  if (extents.empty()) return false;
  for (const Extent& extent : extents) {
    if (extent.offset != position || extent.length == 0 || extent.length > end - position)
      return false;
    position = extent.end();
  }
  return true;
}

}  // namespace

ExtentAhead::ExtentAhead(Volume& source, std::uint64_t begin, std::uint64_t end, Mode mode)
    : source_(source), end_(end), mode_(mode), position_(begin) {
  if (mode_ == Mode::whole) {
    if (end_ > begin) ready_.push_back({begin, end_ - begin, ExtentKind::data});
    position_ = end_;
  }
  all_asked_ = position_ >= end_;
}

ExtentAhead::~ExtentAhead() { stop(); }

void ExtentAhead::start(std::function<void()> on_ready) {
  on_ready_ = std::move(on_ready);
  if (mode_ == Mode::thread && position_ < end_) thread_ = std::thread([this] { run(); });
}

void ExtentAhead::request_stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

void ExtentAhead::stop() {
  while (!stop_within(kInterruptEvery)) {
  }
}

bool ExtentAhead::stop_within(std::chrono::milliseconds limit) {
  request_stop();
  if (!thread_.joinable()) return true;
  {
    // More than once: a query may be about to begin, and then knows of no interrupt before. But not
    // without a query: others may be waiting for this volume's answers to theirs.
    const auto give_up = std::chrono::steady_clock::now() + limit;
    std::unique_lock lock(mutex_);
    while (!ended_) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      const bool asking = asking_;
      lock.unlock();
      if (asking) source_.interrupt();
      lock.lock();
      changed_.wait_for(lock, kInterruptEvery, [this] { return ended_; });
    }
  }
  thread_.join();
  return true;
}

void ExtentAhead::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ready_.size() < kReadyLimit || stopping_; });
    if (stopping_ || all_asked_) break;
    asking_ = true;
    lock.unlock();
    ask();
    on_ready_();
    lock.lock();
  }
  ended_ = true;
  changed_.notify_all();
}

void ExtentAhead::ask() {
  auto answer = source_.map(position_, end_ - position_);
  // Somebody else's query was to be interrupted, and nobody can tell one from another.
  for (int again = 0; again < kMostInterrupts && interrupted_by_others(answer); ++again) {
    answer = source_.map(position_, end_ - position_);
  }
  if (answer && well_formed(answer.value(), position_, end_)) return add(answer.value());
  failures_.fetch_add(1, std::memory_order_relaxed);
  add({{position_, end_ - position_, ExtentKind::data}});
}

bool ExtentAhead::interrupted_by_others(const Result<std::vector<Extent>>& answer) {
  if (answer || answer.error().number != ECANCELED) return false;
  const std::lock_guard lock(mutex_);
  return !stopping_;
}

void ExtentAhead::add(const std::vector<Extent>& extents) {
  const std::lock_guard lock(mutex_);
  for (const Extent& extent : extents) {
    ready_.push_back({extent.offset, extent.length, without_zero(extent.kind)});
  }
  position_ = extents.back().end();
  all_asked_ = position_ >= end_;
  asking_ = false;
}

bool ExtentAhead::take(std::deque<Extent>& extents) {
  if (mode_ == Mode::inlined) {
    while (ready_.empty() && !all_asked_) ask();
  }
  const std::lock_guard lock(mutex_);
  const bool any = !ready_.empty();
  extents.insert(extents.end(), ready_.begin(), ready_.end());
  ready_.clear();
  if (any) changed_.notify_all();
  return any || !all_asked_;
}

}  // namespace blockhaul
