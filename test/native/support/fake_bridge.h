#pragma once

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "support/content.h"
#include "volume/js_volume.h"
#include "volume/logged_request.h"

namespace blockhaul::test {

/// Stands for JavaScript: a thread of its own that answers calls, at once or when it is told to.
class FakeBridge final : public JsBridge {
 public:
  explicit FakeBridge(Bytes bytes) : bytes_(std::move(bytes)), thread_([this] { run(); }) {}
  ~FakeBridge() override {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  FakeBridge(const FakeBridge&) = delete;
  FakeBridge& operator=(const FakeBridge&) = delete;

  void call(std::shared_ptr<JsCall> call) override {
    {
      const std::lock_guard lock(mutex_);
      log_.push_back({call->operation, call->offset, call->length});
      if (!at_once_) calls_.push_back(std::move(call));
    }
    changed_.notify_all();
    if (call) answer(*call);
  }

  [[nodiscard]] Bytes& bytes() { return bytes_; }
  [[nodiscard]] std::vector<LoggedRequest> log() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  /// What maps are answered with; nothing: one extent of data.
  void set_extents(std::vector<Extent> extents) { extents_ = std::move(extents); }
  void answer_with(int error) { error_ = error; }
  void answer_at_once() { at_once_ = true; }

  /// Answers nothing that satisfies `which` any more, until release().
  void hold(std::function<bool(const JsCall&)> which = [](const JsCall&) { return true; }) {
    const std::lock_guard lock(mutex_);
    holds_ = std::move(which);
  }
  void wait_for_held(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return held_.size() >= count; });
  }
  void release() {
    {
      const std::lock_guard lock(mutex_);
      holds_ = nullptr;
      calls_.insert(calls_.end(), held_.begin(), held_.end());
      held_.clear();
    }
    changed_.notify_all();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return !calls_.empty() || ending_; });
      if (calls_.empty()) return;
      const std::shared_ptr<JsCall> call = calls_.front();
      calls_.pop_front();
      if (holds_ && holds_(*call)) {
        held_.push_back(call);
        changed_.notify_all();
        continue;
      }
      lock.unlock();
      answer(*call);
      lock.lock();
    }
  }

  void answer(JsCall& call) {
    const auto place = bytes_.begin() + static_cast<std::ptrdiff_t>(call.offset);
    if (error_ == 0) {
      switch (call.operation) {
        case Operation::read:
          std::copy_n(place, call.length, call.data.begin());
          break;
        case Operation::write:
          std::copy_n(call.data.begin(), call.length, place);
          break;
        case Operation::zero:
          std::fill_n(place, call.length, std::byte{});
          break;
        case Operation::map:
          call.extents = extents_;
          if (extents_.empty()) call.extents = {{call.offset, call.length, ExtentKind::data}};
          break;
        default:
          break;
      }
    }
    call.finish(error_);
  }

  Bytes bytes_;
  std::vector<Extent> extents_;
  std::atomic<int> error_{0};
  std::atomic<bool> at_once_{false};

  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::condition_variable changed_;
  std::deque<std::shared_ptr<JsCall>> calls_;
  std::deque<std::shared_ptr<JsCall>> held_;
  std::function<bool(const JsCall&)> holds_;
  std::vector<LoggedRequest> log_;
  bool ending_ = false;

  std::thread thread_;
};

}  // namespace blockhaul::test
