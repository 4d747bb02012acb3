#include "volume/rbd_watchers.h"

#include <algorithm>

#include "volume/bounded_call.h"

namespace blockhaul {

using Watchers = std::vector<Watcher>;

Result<Watchers> list_watchers(const RbdImage& image) {
  const Librbd& librbd = image.librbd();
  const std::uint64_t own = librbd.rados_get_instance_id(image.cluster().get());
  std::vector<rbd_image_watcher_t> found(16);
  int result = 0;
  std::size_t count = 0;
  do {
    count = found.size();
    result = librbd.rbd_watchers_list(image.get(), found.data(), &count);
    if (result == -ERANGE) found.resize(std::max(count, found.size() * 2));
  } while (result == -ERANGE);
  if (result < 0) return Error::from_errno(-result, Operation::open, "who else has the image open");
  Watchers watchers;
  for (std::size_t i = 0; i < count; ++i) {
    watchers.push_back({.client = "client." + std::to_string(found[i].id),
                        .address = found[i].addr,
                        .own = static_cast<std::uint64_t>(found[i].id) == own});
  }
  librbd.rbd_watchers_list_cleanup(found.data(), count);
  return watchers;
}

Result<std::optional<Watchers>> watchers_of(const std::shared_ptr<RbdImage>& image) {
  const Librbd& librbd = image->librbd();
  if (librbd.rbd_watchers_list == nullptr || librbd.rbd_watchers_list_cleanup == nullptr) {
    return std::optional<Watchers>();
  }
  const std::chrono::seconds patience = image->cluster().patience();
  auto listed = call_within<Watchers>(
      patience, [image] { return list_watchers(*image); }, [](const Result<Watchers>&) {});
  if (!listed) {
    return Error{.number = ETIMEDOUT,
                 .message = "the cluster did not say within " + std::to_string(patience.count()) +
                            " s who else has the image open",
                 .code = "ERR_UNREACHABLE"};
  }
  if (!*listed) return listed->error();
  return std::optional<Watchers>(std::move(listed->value()));
}

}  // namespace blockhaul
