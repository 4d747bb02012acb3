#include "core/kept_memory.h"

#include <malloc.h>

#include <atomic>
#include <memory>

#include "core/units.h"

namespace blockhaul {
namespace {

std::atomic<bool> is_kept{false};

}  // namespace

void keep_freed_memory() {
  if (is_kept.exchange(true)) return;
  // Once something of up to 32 MiB has been freed, glibc keeps twice as much as that.
  const auto freed = std::make_unique_for_overwrite<char[]>(31 * kMiB);  // NOLINT(*-avoid-c-arrays)
  *static_cast<volatile char*>(freed.get()) = 0;  // or a compiler leaves out both
}

void give_back_kept_memory() {
#ifdef __GLIBC__  // others keep little
  if (is_kept) ::malloc_trim(0);
#endif
}

}  // namespace blockhaul
