#include "volume/rbd_changeable.h"

#include <algorithm>

#include "volume/rbd_snapshots.h"
#include "volume/rbd_task.h"

namespace blockhaul {
namespace {

Error refused(int number, std::string message) {
  return Error{.number = number, .message = std::move(message)};
}

bool is_not_primary(const RbdImage& image) {
  const Librbd& librbd = image.librbd();
  if (librbd.rbd_mirror_image_get_info == nullptr) return false;
  rbd_mirror_image_info_t info{};
  if (librbd.rbd_mirror_image_get_info(image.get(), &info, sizeof info) < 0) return false;
  const bool found = info.state == RBD_MIRROR_IMAGE_ENABLED && !info.primary;
  if (librbd.rbd_mirror_image_get_info_cleanup != nullptr) {
    librbd.rbd_mirror_image_get_info_cleanup(&info);
  }
  return found;
}

/// "" of an image that is in none.
std::string group_of(const RbdImage& image) {
  const Librbd& librbd = image.librbd();
  if (librbd.rbd_get_group == nullptr || librbd.rbd_group_info_cleanup == nullptr) return {};
  rbd_group_info_t info{};
  if (librbd.rbd_get_group(image.get(), &info, sizeof info) < 0) return {};
  std::string name = info.name == nullptr ? "" : info.name;
  librbd.rbd_group_info_cleanup(&info, sizeof info);
  return name;
}

Status check_removable(const RbdImage& image) {
  if (const std::string group = group_of(image); !group.empty()) {
    return refused(EBUSY, "it belongs to the group " + quoted(group) +
                              " of images (`rbd group image remove`)");
  }
  if ((image.facts().features & RBD_FEATURE_MIGRATING) != 0) {
    return refused(EBUSY, "a migration of Ceph's own is under way (`rbd migration commit`)");
  }
  auto snapshots = all_snapshots(image);
  if (!snapshots) return snapshots.error();
  const auto hidden = std::count_if(snapshots.value().begin(), snapshots.value().end(),
                                    [](const RbdSnapshot& one) { return !one.is_users; });
  if (hidden == 0) return success();
  return refused(EBUSY, "it has " + std::to_string(hidden) +
                            " snapshots that a clone, a group or a mirror still needs");
}

}  // namespace

Status check_changeable(const RbdOpenOptions& options, RbdChange change) {
  const auto look = [change](const RbdImage& image, Pulse&) -> Status {
    if (is_not_primary(image)) {
      return refused(EROFS, "it is mirrored, and not primary here (`rbd mirror image promote`)");
    }
    return change == RbdChange::remove ? check_removable(image) : success();
  };
  if (Status seen = with_image<std::monostate>(options, look); !seen) return seen;
  RbdOpenOptions writable = options;
  writable.writable = true;
  return with_image<std::monostate>(writable,
                                    [](const RbdImage&, Pulse&) -> Status { return success(); });
}

}  // namespace blockhaul
