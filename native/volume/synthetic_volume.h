#pragma once

#include <memory>

#include "volume/volume.h"

namespace blockhaul {

/// `null:`: takes and forgets whatever is written; as large as it is said to be.
std::unique_ptr<Volume> make_null_volume(std::uint64_t size);

/// `zero:SIZE`: reads as zero, and says so as one hole.
std::unique_ptr<Volume> make_zero_volume(std::uint64_t size);

/// `pattern:SIZE:seed`: bytes that depend on their offset and the seed alone; no part of it is zero
/// and no two of its blocks are alike. The 8 bytes at offset 8n, little endian, are
/// splitmix64(seed + n).
std::unique_ptr<Volume> make_pattern_volume(std::uint64_t size, std::uint64_t seed);

}  // namespace blockhaul
