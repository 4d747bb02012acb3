#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/digest.h"

namespace blockhaul {

/// A part of what was read: all zero, or not.
struct Run {
  std::uint64_t offset = 0;  ///< bytes from the volume's start
  std::uint64_t length = 0;
  bool is_zero = false;
};

struct InspectOptions {
  DigestKind digest = DigestKind::none;
  /// Zeros between data stay part of the data unless they are this long, in bytes; 0: zeros are not
  /// looked for at all. Zeros at either end of what is inspected always count.
  std::uint64_t shortest_zero_run = 0;
};

/// One pass over what was read at `offset` (a multiple of kLeaf), while it is in cache: finds the
/// runs of zeros in units of kZeroBlock, and takes the digest of each leaf. `zero_leaf` is the
/// digest of a whole leaf of zeros. `runs` and `leaves` are filled anew.
void inspect(std::span<const std::byte> bytes, std::uint64_t offset, const InspectOptions& options,
             const DigestValue& zero_leaf, std::vector<Run>& runs,
             std::vector<DigestValue>& leaves);

}  // namespace blockhaul
