#include "io/undumpable.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <mutex>
#include <optional>

namespace blockhaul {
namespace {

std::mutex mutex;
unsigned alive = 0;
bool was_dumpable = false;
std::optional<rlim_t> core_limit_before;

}  // namespace

Undumpable::Undumpable() {
  const std::scoped_lock lock(mutex);
  if (alive++ > 0) return;
  was_dumpable = ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  // For whoever asks for a dump by other means, as gcore does, and goes by this.
  rlimit limit{};
  core_limit_before.reset();
  if (::getrlimit(RLIMIT_CORE, &limit) != 0) return;
  core_limit_before = limit.rlim_cur;
  limit.rlim_cur = 0;
  ::setrlimit(RLIMIT_CORE, &limit);
}

Undumpable::~Undumpable() {
  const std::scoped_lock lock(mutex);
  if (--alive > 0) return;
  if (was_dumpable) ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  // What somebody else has set meanwhile stays.
  rlimit limit{};
  if (!core_limit_before || ::getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_cur != 0) return;
  limit.rlim_cur = *core_limit_before;
  ::setrlimit(RLIMIT_CORE, &limit);
}

}  // namespace blockhaul
