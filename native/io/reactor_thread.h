#pragma once

#include <memory>
#include <thread>

#include "io/reactor.h"

namespace blockhaul {

/// A reactor and the thread that runs it.
class ReactorThread {
 public:
  static Result<std::unique_ptr<ReactorThread>> start(ReactorKind kind, unsigned operations);
  /// Ends the thread; nothing may be in flight.
  ~ReactorThread();

  [[nodiscard]] Reactor& reactor() { return *reactor_; }

 private:
  explicit ReactorThread(std::unique_ptr<Reactor> reactor)
      : reactor_(std::move(reactor)), thread_([this] { reactor_->run(); }) {}

  std::unique_ptr<Reactor> reactor_;
  std::thread thread_;
};

}  // namespace blockhaul
