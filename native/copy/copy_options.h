#pragma once

#include <cstdint>

#include "core/digest.h"
#include "core/units.h"

namespace blockhaul {

struct CopyOptions {
  std::uint64_t size = 0;                 ///< bytes from the start of both volumes
  std::uint64_t request_size = 1 * kMiB;  ///< bytes; a power of two, kLeaf to kChunk
  std::uint32_t requests = 64;            ///< in flight at the most, over all lanes; at least 1
  std::uint64_t memory = 64 * kMiB;       ///< bytes of buffers, over all lanes
  std::uint32_t lanes = 1;                ///< reactors that share the work
  bool use_extents = true;                ///< false: read all of the source
  DigestKind digest = DigestKind::xxh3;
  std::uint64_t bandwidth_limit = 0;  ///< bytes a second; 0: none
};

}  // namespace blockhaul
