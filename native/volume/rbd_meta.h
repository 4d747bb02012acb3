#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "volume/librbd.h"

namespace blockhaul {

/// Names and values that people and programs keep with an image: `rbd image-meta`.
using RbdMeta = std::vector<std::pair<std::string, std::string>>;

/// All of an open image's; what Ceph keeps there for itself is left out.
[[nodiscard]] Result<RbdMeta> read_meta(const Librbd& librbd, rbd_image_t image);

/// Of an image that is open for writing.
[[nodiscard]] Status write_meta(const Librbd& librbd, rbd_image_t image, const RbdMeta& meta);

}  // namespace blockhaul
