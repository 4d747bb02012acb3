#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "volume/rbd_meta.h"
#include "volume/rbd_pool.h"

namespace blockhaul {

/// What a new image is to be.
struct RbdCreateOptions {
  std::uint64_t size = 0;  ///< bytes
  std::optional<unsigned>
      order{};  ///< log2 of the object size, 12 to 25; none: the cluster's default
  /// Names of RBD features; none: the cluster's default.
  std::optional<std::vector<std::string>> features{};
  std::string data_pool{};        ///< "": the pool of the image
  std::uint64_t stripe_unit = 0;  ///< bytes; 0: no striping
  std::uint64_t stripe_count = 0;
  RbdMeta meta{};  ///< of its own, as `rbd image-meta` shows it

  /// What can be checked without a cluster.
  [[nodiscard]] Status check() const;
};

/// The names of features whose bits are set; bits without a name that is known are left out.
[[nodiscard]] std::vector<std::string> feature_names(std::uint64_t bits);

/// Owns an rbd_image_options_t.
class RbdImageOptions {
 public:
  explicit RbdImageOptions(const Librbd& librbd) : librbd_(librbd) {
    librbd_.rbd_image_options_create(&options_);
  }
  ~RbdImageOptions() { librbd_.rbd_image_options_destroy(options_); }
  RbdImageOptions(const RbdImageOptions&) = delete;
  RbdImageOptions& operator=(const RbdImageOptions&) = delete;

  /// Fails with ENOENT where there is no such data pool.
  [[nodiscard]] Status set(const RbdCreateOptions& wanted, const RbdPool& pool);
  void set(int option, std::uint64_t value) {
    librbd_.rbd_image_options_set_uint64(options_, option, value);
  }
  [[nodiscard]] rbd_image_options_t get() const { return options_; }

 private:
  const Librbd& librbd_;
  rbd_image_options_t options_ = nullptr;
};

}  // namespace blockhaul
