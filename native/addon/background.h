#pragma once

#include <functional>

namespace blockhaul {

/// Runs blocking work (opening and closing volumes, which may talk to a cluster for a while) on a
/// thread of its own, so that neither JavaScript nor libuv's pool waits for it.
///
/// The process may exit while such work is under way: an unreachable cluster must not keep it. It
/// then ends without static destructors, which would pull librbd away from under that thread.
///
/// False where no thread can be made; the work was not done then.
bool run_in_background(std::function<void()> work);

}  // namespace blockhaul
