#include "io/reactor_thread.h"

#include <system_error>

namespace blockhaul {

Result<std::unique_ptr<ReactorThread>> ReactorThread::start(ReactorKind kind, unsigned operations) {
  auto reactor = make_reactor(kind, operations);
  if (!reactor) return reactor.error();
  try {
    return std::unique_ptr<ReactorThread>(new ReactorThread(std::move(reactor.value())));
  } catch (const std::system_error& error) {
    return Error::from_errno(error.code().value(), Operation::open, "I/O thread");
  }
}

ReactorThread::~ReactorThread() {
  reactor_->stop();
  thread_.join();
}

}  // namespace blockhaul
