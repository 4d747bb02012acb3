#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "volume/rados_cluster.h"
#include "volume/rbd_facts.h"

namespace blockhaul {

struct RbdCreateOptions {
  std::uint64_t size = 0;  ///< bytes
  std::optional<unsigned>
      order{};  ///< log2 of the object size, 12 to 25; none: the cluster's default
  /// Names of RBD features; none: the cluster's default.
  std::optional<std::vector<std::string>> features{};
  std::string data_pool{};        ///< "": the pool of the image
  std::uint64_t stripe_unit = 0;  ///< bytes; 0: no striping
  std::uint64_t stripe_count = 0;
};

struct RbdOpenOptions {
  CephConnection connection{};
  std::string pool{};
  std::string name_space{};  ///< "": the pool's own
  std::string image{};
  std::optional<std::string> snapshot{};  ///< never writable
  bool writable = false;
  /// Make the image first; fails with EEXIST where there is one of that name.
  std::optional<RbdCreateOptions> create{};

  /// "pool/namespace/image@snapshot"
  [[nodiscard]] std::string path() const;
};

/// An open image and what it hangs on: the connection and the pool.
class RbdImage {
 public:
  /// Connects, creates where that is wanted, and opens. Blocks, but only as long as the
  /// connection's patience: a cluster without working OSDs would never answer. An image that was
  /// created for an open that fails is removed again.
  static Result<std::unique_ptr<RbdImage>> open(const RbdOpenOptions& options);

  /// Blocks: flushes, gives back locks. No request may be under way.
  ~RbdImage();
  RbdImage(const RbdImage&) = delete;
  RbdImage& operator=(const RbdImage&) = delete;

  [[nodiscard]] const Librbd& librbd() const { return cluster_->librbd(); }
  [[nodiscard]] const RadosCluster& cluster() const { return *cluster_; }
  [[nodiscard]] rbd_image_t get() const { return image_; }
  [[nodiscard]] const RbdFacts& facts() const { return facts_; }

 private:
  friend class RbdOpening;
  explicit RbdImage(std::shared_ptr<RadosCluster> cluster) : cluster_(std::move(cluster)) {}

  std::shared_ptr<RadosCluster> cluster_;
  rados_ioctx_t pool_ = nullptr;
  rbd_image_t image_ = nullptr;
  RbdFacts facts_;
};

}  // namespace blockhaul
