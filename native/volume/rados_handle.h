#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "io/undumpable.h"
#include "volume/librbd.h"

namespace blockhaul {

/// How a Ceph cluster is reached, as librados wants it.
struct CephConnection {
  std::string cluster = "ceph";
  std::string name = "client.admin";
  /// Paths of configuration files, separated by commas, the first that exists counts; none:
  /// CEPH_CONF, else the default search of librados.
  std::optional<std::string> conf{};
  /// Ceph's options, set last: keyring, mon_host, client_mount_timeout, …; values may be secret.
  std::map<std::string, std::string> overrides{};
};

/// Owns a rados_t: one client of a cluster, with threads of its own.
///
/// While one exists, the process ends without running static destructors: those of librados would
/// pull its data away from under these threads (docs/decisions/0004-exit-past-open-calls.md).
class RadosHandle {
 public:
  /// Reads the configuration (files, then CEPH_ARGS, then overrides) and connects. Blocks until the
  /// cluster answers or `client_mount_timeout` is over, which is 30 s where nobody set
  /// it; Ceph's default of 300 counts as unset, even where somebody wrote it down.
  static Result<RadosHandle> connect(const Librbd& librbd, const CephConnection& connection);

  ~RadosHandle();
  RadosHandle(RadosHandle&& other) noexcept
      : librbd_(std::exchange(other.librbd_, nullptr)),
        handle_(other.handle_),
        undumpable_(std::move(other.undumpable_)),
        patience_(other.patience_) {}
  RadosHandle(const RadosHandle&) = delete;
  RadosHandle& operator=(const RadosHandle&) = delete;
  RadosHandle& operator=(RadosHandle&&) = delete;

  /// Notes that a part of librados came to life, with static objects that want to be destroyed at
  /// the end of the process.
  enum class Stage : std::uint8_t { loaded, connected, opened };
  static void reached(Stage stage);

  [[nodiscard]] const Librbd& librbd() const { return *librbd_; }
  [[nodiscard]] rados_t get() const { return handle_; }
  /// How long to wait for the cluster's answer before giving up an open.
  [[nodiscard]] std::chrono::seconds patience() const { return patience_; }

 private:
  explicit RadosHandle(const Librbd& librbd);

  const Librbd* librbd_;  ///< null after a move
  rados_t handle_ = nullptr;
  /// librados keeps the key of its client in memory.
  std::unique_ptr<Undumpable> undumpable_ = std::make_unique<Undumpable>();
  std::chrono::seconds patience_{};
};

}  // namespace blockhaul
