#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "volume/rbd_image.h"

namespace blockhaul {

// What is done with whole images beside opening them. Everything blocks; for how long at the most,
// on_cluster() says.

struct RbdListedImage {
  std::string name;
  std::uint64_t size = 0;  ///< bytes
};

/// The images of a place in the order of their names. One that is removed meanwhile is left out.
[[nodiscard]] Result<std::vector<RbdListedImage>> list_images(const RbdPlace& place);

/// Removes an image for good. Fails with EBUSY where a client watches it or it has snapshots, which
/// the message names. With an id, only the image that has it is removed, and another that has its
/// name by now is none of ours: ENOENT.
[[nodiscard]] Status remove_image(const RbdPlace& place, const std::string& image,
                                  const std::string& id = {});

/// Gives an image another name in its place; EEXIST where that is taken.
[[nodiscard]] Status rename_image(const RbdPlace& place, const std::string& image,
                                  const std::string& renamed);

/// Makes an image larger: `size` in bytes. EINVAL where that is less than it has.
[[nodiscard]] Status resize_image(const RbdPlace& place, const std::string& image,
                                  std::uint64_t size);

}  // namespace blockhaul
