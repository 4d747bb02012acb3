#include "volume/rbd_create.h"

#include <array>

namespace blockhaul {
namespace {

constexpr unsigned kSmallestOrder = 12;
constexpr unsigned kLargestOrder = 25;

struct Feature {
  const char* name;
  std::uint64_t bit;
};

constexpr std::array kFeatures = {
    Feature{RBD_FEATURE_NAME_LAYERING, RBD_FEATURE_LAYERING},
    Feature{RBD_FEATURE_NAME_STRIPINGV2, RBD_FEATURE_STRIPINGV2},
    Feature{RBD_FEATURE_NAME_EXCLUSIVE_LOCK, RBD_FEATURE_EXCLUSIVE_LOCK},
    Feature{RBD_FEATURE_NAME_OBJECT_MAP, RBD_FEATURE_OBJECT_MAP},
    Feature{RBD_FEATURE_NAME_FAST_DIFF, RBD_FEATURE_FAST_DIFF},
    Feature{RBD_FEATURE_NAME_DEEP_FLATTEN, RBD_FEATURE_DEEP_FLATTEN},
    Feature{RBD_FEATURE_NAME_JOURNALING, RBD_FEATURE_JOURNALING},
    Feature{RBD_FEATURE_NAME_DATA_POOL, RBD_FEATURE_DATA_POOL},
    Feature{RBD_FEATURE_NAME_OPERATIONS, RBD_FEATURE_OPERATIONS},
    Feature{RBD_FEATURE_NAME_MIGRATING, RBD_FEATURE_MIGRATING},
    Feature{RBD_FEATURE_NAME_NON_PRIMARY, RBD_FEATURE_NON_PRIMARY},
    Feature{RBD_FEATURE_NAME_DIRTY_CACHE, RBD_FEATURE_DIRTY_CACHE},
};

Error invalid(std::string message) {
  return Error{.number = EINVAL, .message = std::move(message)};
}

Result<std::uint64_t> feature_bits(const std::vector<std::string>& names) {
  std::uint64_t bits = 0;
  for (const std::string& name : names) {
    std::uint64_t bit = 0;
    for (const Feature& feature : kFeatures) {
      if (name == feature.name) bit = feature.bit;
    }
    if (bit == 0) return invalid(quoted(name) + " is no RBD feature");
    bits |= bit;
  }
  return bits;
}

}  // namespace

Status RbdCreateOptions::check() const {
  if (order && (*order < kSmallestOrder || *order > kLargestOrder)) {
    return invalid("an object of an RBD image has 4 KiB to 32 MiB");
  }
  if (features) {
    if (auto bits = feature_bits(*features); !bits) return bits.error();
  }
  return success();
}

std::vector<std::string> feature_names(std::uint64_t bits) {
  std::vector<std::string> names;
  for (const Feature& feature : kFeatures) {
    if ((bits & feature.bit) != 0) names.emplace_back(feature.name);
  }
  return names;
}

Status RbdImageOptions::set(const RbdCreateOptions& wanted, const RbdPool& pool) {
  set(RBD_IMAGE_OPTION_FORMAT, 2);
  if (wanted.order) set(RBD_IMAGE_OPTION_ORDER, *wanted.order);
  if (wanted.features) {
    auto bits = feature_bits(*wanted.features);
    if (!bits) return bits.error();
    set(RBD_IMAGE_OPTION_FEATURES, bits.value());
  }
  if (wanted.stripe_unit != 0) set(RBD_IMAGE_OPTION_STRIPE_UNIT, wanted.stripe_unit);
  if (wanted.stripe_count != 0) set(RBD_IMAGE_OPTION_STRIPE_COUNT, wanted.stripe_count);
  if (wanted.data_pool.empty()) return success();
  if (librbd_.rados_pool_lookup(pool.cluster().get(), wanted.data_pool.c_str()) == -ENOENT) {
    return Error{.number = ENOENT,
                 .message = "data pool " + quoted(wanted.data_pool) + " does not exist"};
  }
  librbd_.rbd_image_options_set_string(options_, RBD_IMAGE_OPTION_DATA_POOL,
                                       wanted.data_pool.c_str());
  return success();
}

}  // namespace blockhaul
