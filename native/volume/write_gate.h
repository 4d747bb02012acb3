#pragma once

#include <deque>
#include <mutex>

#include "volume/volume.h"

namespace blockhaul {

/// Keeps writes of different kinds to one inode apart: direct ones and those through the page cache
/// go on beside their like, never beside another kind; one that changes blocks (Bounce) goes alone.
///
/// A direct write drops the pages that it makes stale. If a write through the cache makes one of
/// them dirty again in that time, the kernel can only warn: the direct write may be undone by the
/// page, and the next fsync(2) gives EIO. Requests that share no byte can meet in a page, and so
/// can two in a block that both read, change and write back.
///
/// Who finds another kind under way waits in line, and goes on by a task on its own reactor.
class WriteGate {
 public:
  enum class Kind : std::uint8_t { direct, cached, alone };

  /// True: the write may go on. False: it waits, and `resume` is called on the request's reactor
  /// when it may. The request's task is the gate's until then.
  bool enter(Request& request, Kind kind, void (*resume)(Task&) noexcept);
  /// Once for each write that went on, when it is done.
  void leave();

 private:
  struct Waiting {
    Request* request;
    Kind kind;
  };

  std::mutex mutex_;
  // Guarded by mutex_:
  Kind kind_ = Kind::direct;  ///< of those under way
  unsigned under_way_ = 0;
  std::deque<Waiting> line_;
};

}  // namespace blockhaul
