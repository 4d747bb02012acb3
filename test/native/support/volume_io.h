#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <vector>

#include "io/reactor_thread.h"
#include "volume/volume.h"

namespace blockhaul::test {

/// Does a volume's requests from a test's thread: each call waits, and gives the request's error.
class VolumeIo {
 public:
  explicit VolumeIo(ReactorKind kind = ReactorKind::threads) {
    auto started = ReactorThread::start(kind, 16);
    if (!started) throw std::runtime_error(started.error().message);
    thread_ = std::move(started.value());
  }

  int read(Volume& volume, std::uint64_t offset, std::span<std::byte> data) {
    return one(
        volume,
        {.operation = Operation::read, .offset = offset, .length = data.size(), .data = data});
  }
  int write(Volume& volume, std::uint64_t offset, std::span<const std::byte> data) {
    // A write only reads its data.
    const std::span<std::byte> bytes{const_cast<std::byte*>(data.data()), data.size()};
    return one(
        volume,
        {.operation = Operation::write, .offset = offset, .length = data.size(), .data = bytes});
  }
  int zero(Volume& volume, std::uint64_t offset, std::uint64_t length) {
    return one(volume, {.operation = Operation::zero, .offset = offset, .length = length});
  }
  int flush(Volume& volume) { return one(volume, {.operation = Operation::flush}); }

  /// All of them at once. Each request's error stands in it afterwards.
  void run(Volume& volume, std::span<Request> requests) {
    Batch batch{.volume = volume,
                .reactor = thread_->reactor(),
                .requests = requests,
                .left = requests.size()};
    if (requests.empty()) return;
    Task start{.run =
                   [](Task& task) noexcept {
                     Batch& all = *static_cast<Batch*>(task.context);
                     for (Request& request : all.requests) {
                       request.on_done = done;
                       request.context = &all;
                       all.volume.submit(all.reactor, request);
                     }
                   },
               .context = &batch};
    thread_->reactor().post(start);
    std::unique_lock lock(batch.mutex);
    batch.changed.wait(lock, [&] { return batch.left == 0; });
  }

 private:
  struct Batch {
    Volume& volume;
    Reactor& reactor;
    std::span<Request> requests;
    std::mutex mutex{};
    std::condition_variable changed{};
    std::size_t left;
  };

  static void done(Request& request) noexcept {
    Batch& batch = *static_cast<Batch*>(request.context);
    const std::lock_guard lock(batch.mutex);
    --batch.left;
    batch.changed.notify_one();
  }

  int one(Volume& volume, Request request) {
    run(volume, {&request, 1});
    return request.error;
  }

  std::unique_ptr<ReactorThread> thread_;
};

}  // namespace blockhaul::test
