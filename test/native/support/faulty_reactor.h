#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <functional>

#include "volume/volume.h"

namespace blockhaul::test {

/// A reactor of a test's own thread, whose every file operation ends as the test says.
class FaultyReactor final : public Reactor {
 public:
  /// What an operation ends with instead of being done, or is done with.
  std::function<std::int64_t(const FileOperation&)> perform = &FaultyReactor::in_full;

  /// Does a request of a volume to its end, and gives its error.
  int run(Volume& volume, Request request) {
    bool done = false;
    request.context = &done;
    request.on_done = [](Request& one) noexcept { *static_cast<bool*>(one.context) = true; };
    volume.submit(*this, request);
    while (!done) turn();
    return request.error;
  }
  /// Does what is waiting by now.
  void turn() {
    run_tasks();
    wait(nullptr);
  }

  void submit(FileOperation& operation) override { waiting_.push_back(&operation); }
  [[nodiscard]] std::string_view name() const override { return "faulty"; }

  static std::int64_t in_full(const FileOperation& operation) {
    return up_to(operation, operation.length);
  }
  /// As a kernel does that was interrupted, or whose medium is almost full.
  static std::int64_t up_to(const FileOperation& operation, std::uint64_t most) {
    const auto offset = static_cast<off_t>(operation.offset);
    const std::uint64_t length = std::min(operation.length, most);
    std::int64_t result = -1;
    switch (operation.kind) {
      case FileOperation::Kind::read:
        result = ::pread(operation.descriptor, operation.data, length, offset);
        break;
      case FileOperation::Kind::write:
        result = ::pwrite(operation.descriptor, operation.data, length, offset);
        break;
      case FileOperation::Kind::allocate:
        result = ::fallocate(operation.descriptor, operation.mode, offset,
                             static_cast<off_t>(operation.length));
        break;
      case FileOperation::Kind::sync_data:
        result = ::fdatasync(operation.descriptor);
        break;
    }
    return result < 0 ? -errno : result;
  }

 protected:
  void wait(const Clock::time_point* /*deadline*/) override {
    std::deque<FileOperation*> now;
    now.swap(waiting_);
    for (FileOperation* operation : now) operation->on_done(*operation, perform(*operation));
  }
  void wake() override {}

 private:
  std::deque<FileOperation*> waiting_;
};

}  // namespace blockhaul::test
