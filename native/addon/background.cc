#include "addon/background.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <system_error>
#include <thread>

namespace blockhaul {
namespace {

std::atomic<unsigned> running{0};

void exit_past_running_work(int status, void*) {
  if (running.load() > 0) ::_exit(status);
}

}  // namespace

bool run_in_background(std::function<void()> work) {
  static std::once_flag registered;
  std::call_once(registered, [] { ::on_exit(exit_past_running_work, nullptr); });
  ++running;
  try {
    std::thread([work = std::move(work)]() mutable {
      work();
      work = nullptr;  // what it held goes before it counts as ended
      --running;
    }).detach();
    return true;
  } catch (const std::system_error&) {
    --running;
    return false;
  }
}

}  // namespace blockhaul
