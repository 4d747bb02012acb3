#pragma once

#include <memory>
#include <string>

#include "volume/rados_cluster.h"

namespace blockhaul {

/// Where images lie side by side: a namespace of a pool.
struct RbdPlace {
  CephConnection connection{};
  std::string pool{};
  std::string name_space{};  ///< "": the pool's own

  /// "pool/namespace"
  [[nodiscard]] std::string path() const;
};

/// A pool, or a namespace of one, that is open on a connection.
class RbdPool {
 public:
  /// Blocks for as long as the cluster pleases. Fails with ENOENT where there is no such pool;
  /// whether the namespace is there shows at its first use.
  static Result<std::unique_ptr<RbdPool>> open(std::shared_ptr<RadosCluster> cluster,
                                               const RbdPlace& place);

  ~RbdPool() { librbd().rados_ioctx_destroy(handle_); }
  RbdPool(const RbdPool&) = delete;
  RbdPool& operator=(const RbdPool&) = delete;

  [[nodiscard]] const Librbd& librbd() const { return cluster_->librbd(); }
  [[nodiscard]] const RadosCluster& cluster() const { return *cluster_; }
  [[nodiscard]] rados_ioctx_t get() const { return handle_; }
  [[nodiscard]] const std::shared_ptr<RadosCluster>& shared_cluster() const { return cluster_; }
  [[nodiscard]] const RbdPlace& place() const { return place_; }

  /// False where the cluster says that there is no such namespace.
  [[nodiscard]] bool has_namespace() const;

  /// What librbd answered, as an error: `what` is to be read after "may not".
  [[nodiscard]] Error failed(int result, const std::string& what) const;
  /// ENOENT of an image, or of the namespace where that is what is missing.
  [[nodiscard]] Error not_found(const std::string& image) const;
  [[nodiscard]] Error no_namespace() const;

 private:
  RbdPool(std::shared_ptr<RadosCluster> cluster, RbdPlace place, rados_ioctx_t handle)
      : cluster_(std::move(cluster)), place_(std::move(place)), handle_(handle) {}

  std::shared_ptr<RadosCluster> cluster_;
  RbdPlace place_;
  rados_ioctx_t handle_;
};

/// A name in quotes.
[[nodiscard]] std::string quoted(const std::string& name);

}  // namespace blockhaul
