#pragma once

#include <memory>
#include <string>

#include "volume/rados_handle.h"

namespace blockhaul {

/// A connection to a cluster, shared by all volumes whose opens describe it alike. It ends with the
/// last of them.
class RadosCluster {
 public:
  /// The connection that is there, or a new one; opens of one cluster at the same time connect
  /// once, and fail together. Any thread; blocks as RadosHandle::connect() does.
  static Result<std::shared_ptr<RadosCluster>> connect(const Librbd& librbd,
                                                       const CephConnection& connection);

  ~RadosCluster();
  RadosCluster(const RadosCluster&) = delete;
  RadosCluster& operator=(const RadosCluster&) = delete;

  [[nodiscard]] const Librbd& librbd() const { return handle_.librbd(); }
  [[nodiscard]] rados_t get() const { return handle_.get(); }
  [[nodiscard]] std::chrono::seconds patience() const { return handle_.patience(); }
  [[nodiscard]] const std::string& fsid() const { return fsid_; }

  /// No later open shares this connection: the cluster has shut this client out (a blocklist), and
  /// only a new client gets in again. Volumes that have it keep it.
  void abandon() const;

 private:
  RadosCluster(RadosHandle handle, std::string fsid, std::string key)
      : handle_(std::move(handle)), fsid_(std::move(fsid)), key_(std::move(key)) {}
  static Result<std::shared_ptr<RadosCluster>> make(const Librbd& librbd,
                                                    const CephConnection& connection,
                                                    const std::string& key);

  RadosHandle handle_;
  std::string fsid_;
  std::string key_;  ///< a digest of all that the connection was made from
};

}  // namespace blockhaul
