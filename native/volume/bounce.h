#pragma once

#include <cstdint>
#include <memory>

#include "core/page_memory.h"

namespace blockhaul {

/// A piece of a request that does not fit a block device's blocks, on its way through memory that
/// does: whole blocks are read, and for a write changed and written back.
///
/// Not through the page cache: while a direct write is under way, anybody who reads the device
/// through the cache may leave a page there with the old bytes, and the kernel does not always drop
/// it. A write of a part of that page would bring the old neighbours back.
struct Bounce {
  PageMemory memory;
  std::uint64_t offset = 0;  ///< on the device, of the blocks; aligned
  std::uint64_t length = 0;  ///< bytes of the blocks
  std::uint64_t from = 0;    ///< where in them the request's bytes begin
  std::uint64_t count = 0;   ///< bytes of the request
  std::uint64_t done = 0;    ///< bytes of the transfer under way
  bool writes_back = false;  ///< the transfer under way is the one to the device

  [[nodiscard]] std::byte* bytes() const { return memory.bytes().data() + from; }
  [[nodiscard]] bool is_whole() const { return from == 0 && count == length; }

  /// The blocks around as much of [begin, end) as goes through at once; fails with ENOMEM.
  ///
  /// @param alignment bytes of a block
  static Result<std::unique_ptr<Bounce>> around(std::uint64_t begin, std::uint64_t end,
                                                std::uint64_t alignment);
};

}  // namespace blockhaul
