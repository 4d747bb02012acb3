#pragma once

#include <string>

#include "volume/rbd_pool.h"

namespace blockhaul {

/// Names the parent of an image that cannot be opened, in words, by what its header says; "" where
/// it has none, or where the header cannot be read either.
[[nodiscard]] std::string parent_in_words(const RbdPool& pool, const std::string& image);

}  // namespace blockhaul
