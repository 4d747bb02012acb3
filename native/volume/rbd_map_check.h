#pragma once

#include <cstdint>

#include "volume/rbd_image.h"

namespace blockhaul {

/// Looks for data that an object map denies. librbd answers reads of a snapshot, of a clone's
/// parents, and of an image that it may write to out of their maps, without a word to the OSDs:
/// where a map is wrong, it reads zeros, or what the parent has. A map that was flagged invalid is
/// not used, but nothing flags one that went wrong unnoticed.
///
/// The OSDs are asked for each object, so this takes as long as a fine query of the extents of the
/// whole image.
///
/// @param with_own the image's own map counts, too: it was opened for writing, or is a snapshot
/// @returns ERR_WRONG_MAP where there is such data. Blocks; for how long at the most, on_cluster()
/// says.
[[nodiscard]] Status check_object_maps(const RbdOpenOptions& options, bool with_own);

/// The object that a byte of an image lies in.
[[nodiscard]] std::uint64_t object_at(const RbdFacts& facts, std::uint64_t offset);

}  // namespace blockhaul
