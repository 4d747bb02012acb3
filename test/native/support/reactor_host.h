#pragma once

#include <future>
#include <memory>
#include <utility>

#include "io/reactor.h"

namespace blockhaul::test {

/// A task that calls a function once and then frees itself; any callable.
template <typename Function>
void post(Reactor& reactor, Function function) {
  struct Posted : Task {
    explicit Posted(Function wanted) : function(std::move(wanted)) {}
    Function function;
  };
  auto* posted = new Posted(std::move(function));
  posted->run = [](Task& task) noexcept {
    const std::unique_ptr<Posted> owned(static_cast<Posted*>(&task));
    owned->function();
  };
  reactor.post(*posted);
}

/// Calls a function on a reactor's thread and waits for its result.
template <typename Function>
auto call(Reactor& reactor, Function function) {
  std::packaged_task<decltype(function())()> task(std::move(function));
  auto result = task.get_future();
  post(reactor, [&task] { task(); });
  return result.get();
}

}  // namespace blockhaul::test
