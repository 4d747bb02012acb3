#pragma once

#include <chrono>
#include <cstdint>

#include "core/digest.h"
#include "core/units.h"

namespace blockhaul {

struct CopyOptions {
  std::uint64_t size = 0;   ///< of the source, in bytes
  std::uint64_t begin = 0;  ///< where it begins, in both volumes: a multiple of kChunk, or the size
  std::uint64_t end = 0;    ///< where it ends: a multiple of kChunk, or the size; 0: the size
  std::uint64_t request_size = 2 * kMiB;  ///< bytes; a power of two, kLeaf to kChunk
  std::uint32_t requests = 16;            ///< in flight at the most, over all lanes; at least 1
  std::uint64_t memory = 32 * kMiB;       ///< bytes of buffers, over all lanes
  std::uint32_t lanes = 1;                ///< reactors that share the work
  bool use_extents = true;                ///< false: read all of the source
  DigestKind digest = DigestKind::xxh3;
  std::uint64_t bandwidth_limit = 0;  ///< bytes a second; 0: none
  std::uint64_t iops_limit = 0;       ///< pieces a second; 0: none
  std::uint32_t retries = 0;          ///< of a request that met something that may pass
  /// What the source cannot read becomes zeros, block by block, and is listed.
  bool salvage = false;

  // Each 0: none.
  std::chrono::nanoseconds checkpoint_interval{0};  ///< between two flushes with a journal
  std::chrono::nanoseconds request_timeout{0};      ///< of one request, and of a flush
  std::chrono::nanoseconds stall_limit{0};          ///< without a byte more, while not held back

  [[nodiscard]] std::uint64_t last() const { return end == 0 ? size : end; }
};

}  // namespace blockhaul
