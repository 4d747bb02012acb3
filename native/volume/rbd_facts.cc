#include "volume/rbd_facts.h"

#include <array>
#include <string_view>
#include <vector>

namespace blockhaul {
namespace {

/// Whether the cache is on for this image, all levels of configuration counted: an image or a pool
/// may have settings of its own, and those win over this client's.
bool is_cached(const Librbd& librbd, rbd_image_t image) {
  if (librbd.rbd_config_image_list == nullptr || librbd.rbd_config_image_list_cleanup == nullptr)
    return false;
  int count = 256;
  std::vector<rbd_config_option_t> options(static_cast<std::size_t>(count));
  int result = librbd.rbd_config_image_list(image, options.data(), &count);
  if (result == -ERANGE) {
    options.resize(static_cast<std::size_t>(count));
    result = librbd.rbd_config_image_list(image, options.data(), &count);
  }
  if (result < 0) return false;
  bool cached = false;
  for (int i = 0; i < count; ++i) {
    const rbd_config_option_t& option = options[static_cast<std::size_t>(i)];
    if (std::string_view(option.name) == "rbd_cache")
      cached = std::string_view(option.value) == "true";
  }
  librbd.rbd_config_image_list_cleanup(options.data(), count);
  return cached;
}

}  // namespace

Result<RbdFacts> RbdFacts::read(const Librbd& librbd, rados_ioctx_t pool, rbd_image_t image,
                                const std::string& name,
                                const std::optional<std::string>& snapshot) {
  RbdFacts facts;
  rbd_image_info_t info{};
  std::uint64_t overlap = 0;
  int result = librbd.rbd_stat(image, &info, sizeof info);
  if (result >= 0) result = librbd.rbd_get_stripe_unit(image, &facts.stripe_unit);
  if (result >= 0) result = librbd.rbd_get_stripe_count(image, &facts.stripe_count);
  if (result >= 0) result = librbd.rbd_get_overlap(image, &overlap);
  if (result >= 0) result = librbd.rbd_get_features(image, &facts.features);
  if (result < 0) return Error::from_errno(-result, Operation::open, "the image's header");
  facts.size = info.size;
  facts.object_size = info.obj_size;
  facts.has_parent = overlap != 0;
  facts.pool_id = librbd.rados_ioctx_get_id(pool);

  std::array<char, 256> id{};
  result = librbd.rbd_get_id(image, id.data(), id.size());
  // An image of the first format has no id, and its name cannot be changed without copying it.
  facts.id = result == -EINVAL ? "name:" + name : id.data();
  if (result < 0 && result != -EINVAL)
    return Error::from_errno(-result, Operation::open, "the image's id");

  if (snapshot) {
    std::uint64_t snapshot_id = 0;
    result = librbd.rbd_snap_get_id(image, snapshot->c_str(), &snapshot_id);
    if (result < 0) return Error::from_errno(-result, Operation::open, "the snapshot's id");
    facts.snapshot_id = snapshot_id;
  }
  facts.cached = is_cached(librbd, image);
  return facts;
}

}  // namespace blockhaul
