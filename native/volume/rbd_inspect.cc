#include "volume/rbd_inspect.h"

#include <array>

#include "volume/rbd_task.h"

namespace blockhaul {
namespace {

/// "" where the data lies in the image's own pool.
Result<std::string> data_pool_of(const RbdImage& image) {
  const Librbd& librbd = image.librbd();
  const std::int64_t id = librbd.rbd_get_data_pool_id(image.get());
  if (id == image.facts().pool_id) return std::string();
  if (id < 0) return image.pool().failed(static_cast<int>(id), "look for the image's data pool");
  std::array<char, 256> name{};
  const int result =
      librbd.rados_pool_reverse_lookup(image.pool().cluster().get(), id, name.data(), name.size());
  if (result < 0) return image.pool().failed(result, "look for the image's data pool");
  return std::string(name.data());
}

}  // namespace

Result<RbdInspection> inspect_image(const RbdOpenOptions& options) {
  return with_image<RbdInspection>(options,
                                   [](const RbdImage& image, Pulse&) -> Result<RbdInspection> {
                                     const RbdFacts& facts = image.facts();
                                     auto data_pool = data_pool_of(image);
                                     if (!data_pool) return data_pool.error();
                                     auto meta = read_meta(image.librbd(), image.get());
                                     if (!meta) return meta.error();
                                     return RbdInspection{.fsid = image.cluster().fsid(),
                                                          .id = facts.id,
                                                          .size = facts.size,
                                                          .features = feature_names(facts.features),
                                                          .object_size = facts.object_size,
                                                          .stripe_unit = facts.stripe_unit,
                                                          .stripe_count = facts.stripe_count,
                                                          .data_pool = std::move(data_pool.value()),
                                                          .meta = std::move(meta.value())};
                                   });
}

Result<std::string> inspect_place(const RbdPlace& place) {
  return in_pool<std::string>(place, [](const RbdPool& pool, Pulse&) -> Result<std::string> {
    const auto number = pool.librbd().rados_ioctx_get_id(pool.get());
    return pool.cluster().fsid() + "/" + std::to_string(number) + "/" + pool.place().name_space;
  });
}

}  // namespace blockhaul
