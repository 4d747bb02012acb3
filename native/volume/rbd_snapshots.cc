#include "volume/rbd_snapshots.h"

#include <algorithm>
#include <utility>

#include "volume/rbd_task.h"

namespace blockhaul {
namespace {

bool is_users(const Librbd& librbd, rbd_image_t image, std::uint64_t id) {
  if (librbd.rbd_snap_get_namespace_type == nullptr) return true;
  rbd_snap_namespace_type_t type = RBD_SNAP_NAMESPACE_TYPE_USER;
  const int result = librbd.rbd_snap_get_namespace_type(image, id, &type);
  return result < 0 || type == RBD_SNAP_NAMESPACE_TYPE_USER;
}

/// Whether clones that need no protected snapshot depend on the image.
bool has_clones(const RbdImage& image) {
  std::uint64_t features = 0;
  const auto get = image.librbd().rbd_get_op_features;
  return get != nullptr && get(image.get(), &features) == 0 &&
         (features & RBD_OPERATION_FEATURE_CLONE_PARENT) != 0;
}

/// Why a snapshot cannot be removed, in words; "" where nothing is seen that speaks against it.
std::string use_of(const RbdImage& image, const RbdSnapshot& snapshot) {
  int is_protected = 0;
  const int result =
      image.librbd().rbd_snap_is_protected(image.get(), snapshot.name.c_str(), &is_protected);
  return result == 0 && is_protected != 0
             ? "it is protected: clones may depend on it (`rbd snap unprotect`)"
             : "";
}

Status remove_now(const RbdImage& image, const std::string& name) {
  const Librbd& librbd = image.librbd();
  const int result = librbd.rbd_snap_remove(image.get(), name.c_str());
  if (result >= 0) return success();
  if (result == -ENOENT) {
    return Error{.number = ENOENT, .message = "snapshot " + quoted(name) + " does not exist"};
  }
  int is_protected = 0;
  if (result == -EBUSY &&
      librbd.rbd_snap_is_protected(image.get(), name.c_str(), &is_protected) == 0 &&
      is_protected != 0) {
    return Error{.number = EBUSY,
                 .message = "snapshot " + quoted(name) +
                            " is protected: clones may depend on it (`rbd snap unprotect`)"};
  }
  return image.pool().failed(result, "remove snapshot " + quoted(name));
}

}  // namespace

Result<std::vector<RbdSnapshot>> all_snapshots(const RbdImage& image) {
  const Librbd& librbd = image.librbd();
  std::vector<rbd_snap_info_t> found(32);
  int count = 0;
  do {
    int room = static_cast<int>(found.size());
    count = librbd.rbd_snap_list(image.get(), found.data(), &room);
    if (count == -ERANGE) found.resize(std::max<std::size_t>(room, found.size() * 2));
  } while (count == -ERANGE);
  if (count < 0) return image.pool().failed(count, "list the image's snapshots");
  std::vector<RbdSnapshot> snapshots;
  for (int i = 0; i < count; ++i) {
    const rbd_snap_info_t& one = found[static_cast<std::size_t>(i)];
    snapshots.push_back({.id = one.id,
                         .name = one.name,
                         .size = one.size,
                         .is_users = is_users(librbd, image.get(), one.id)});
  }
  if (count > 0) librbd.rbd_snap_list_end(found.data());
  std::sort(snapshots.begin(), snapshots.end(),
            [](const RbdSnapshot& one, const RbdSnapshot& other) { return one.id < other.id; });
  return snapshots;
}

Result<std::vector<RbdSnapshot>> list_snapshots(const RbdOpenOptions& options) {
  using Snapshots = std::vector<RbdSnapshot>;
  return with_image<Snapshots>(options, [](const RbdImage& image, Pulse&) -> Result<Snapshots> {
    auto all = all_snapshots(image);
    if (!all) return all;
    std::erase_if(all.value(), [](const RbdSnapshot& one) { return !one.is_users; });
    // Which of them the clones depend on, only a look at every pool would tell.
    const bool are_needed = !all.value().empty() && has_clones(image);
    for (RbdSnapshot& one : all.value()) {
      one.in_use = are_needed ? "clones depend on snapshots of the image (`rbd children --all`)"
                              : use_of(image, one);
    }
    return all;
  });
}

Status create_snapshot(RbdOpenOptions options) {
  const std::string name = std::exchange(options.snapshot, std::nullopt).value_or("");
  options.writable = true;
  const auto take = [name](const RbdImage& image, Pulse&) -> Status {
    const int result = image.librbd().rbd_snap_create(image.get(), name.c_str());
    if (result >= 0) return success();
    if (result == -EEXIST) {
      return Error{.number = EEXIST, .message = "snapshot " + quoted(name) + " exists already"};
    }
    return image.pool().failed(result, "take snapshot " + quoted(name));
  };
  const auto undo = [options, name](const Status& late) {
    if (!late) return;
    RbdOpenOptions taken = options;
    taken.snapshot = name;
    (void)remove_snapshot(taken).ok();
  };
  return with_image<std::monostate>(options, take, undo);
}

Status remove_snapshot(RbdOpenOptions options) {
  const std::string name = std::exchange(options.snapshot, std::nullopt).value_or("");
  options.writable = true;
  return with_image<std::monostate>(
      options, [name](const RbdImage& image, Pulse&) { return remove_now(image, name); });
}

}  // namespace blockhaul
