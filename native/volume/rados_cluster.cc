#include "volume/rados_cluster.h"

#include <array>
#include <cstdlib>
#include <future>
#include <mutex>
#include <span>
#include <unordered_map>

#include "core/digest.h"

namespace blockhaul {
namespace {

using ClusterResult = Result<std::shared_ptr<RadosCluster>>;

/// What is known of one description of a cluster: a connection, or an attempt to make one, or
/// neither.
struct Entry {
  std::weak_ptr<RadosCluster> cluster;
  std::shared_future<ClusterResult> attempt;
};

std::mutex mutex;
// Guarded by mutex:
std::unordered_map<std::string, Entry>& entries() {
  // Never freed: a volume may be closed while static objects are destroyed.
  static auto* map = new std::unordered_map<std::string, Entry>();
  return *map;
}

/// The same for descriptions that lead to the same connection. A digest, since values may be
/// secret.
std::string key_of(const CephConnection& connection) {
  std::string text;
  const auto add = [&text](const std::string& part) {
    text += std::to_string(part.size()) + ":" + part;
  };
  add(connection.cluster);
  add(connection.name);
  add(connection.conf ? "conf" + *connection.conf : "");
  for (const char* name : {"CEPH_CONF", "CEPH_ARGS"}) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
    add(value == nullptr ? "" : value);
  }
  for (const auto& [option, value] : connection.overrides) {
    add(option);
    add(value);
  }
  return digest_bytes(DigestKind::sha256, std::as_bytes(std::span(text))).hex();
}

}  // namespace

ClusterResult RadosCluster::make(const Librbd& librbd, const CephConnection& connection,
                                 const std::string& key) {
  auto handle = RadosHandle::connect(librbd, connection);
  if (!handle) return handle.error();
  std::array<char, 64> fsid{};
  const int result = librbd.rados_cluster_fsid(handle.value().get(), fsid.data(), fsid.size());
  if (result < 0) return Error::from_errno(-result, Operation::open, "the cluster's fsid");
  return std::shared_ptr<RadosCluster>(
      new RadosCluster(std::move(handle.value()), fsid.data(), key));
}

ClusterResult RadosCluster::connect(const Librbd& librbd, const CephConnection& connection) {
  const std::string key = key_of(connection);
  std::promise<ClusterResult> promise;
  std::shared_future<ClusterResult> attempt;
  {
    const std::lock_guard lock(mutex);
    Entry& entry = entries()[key];
    if (auto cluster = entry.cluster.lock()) return cluster;
    if (entry.attempt.valid()) {
      attempt = entry.attempt;
    } else {
      entry.attempt = promise.get_future().share();
    }
  }
  if (attempt.valid()) return attempt.get();

  ClusterResult made = make(librbd, connection, key);
  {
    const std::lock_guard lock(mutex);
    if (made) {
      entries()[key] = Entry{.cluster = made.value(), .attempt = {}};
    } else {
      entries().erase(key);
    }
  }
  promise.set_value(made);
  return made;
}

RadosCluster::~RadosCluster() {
  const std::lock_guard lock(mutex);
  const auto found = entries().find(key_);
  // Another connection may have taken the place already.
  if (found != entries().end() && found->second.cluster.expired() &&
      !found->second.attempt.valid()) {
    entries().erase(found);
  }
}

void RadosCluster::abandon() const {
  std::shared_ptr<RadosCluster>
      current;  // let go after the lock: it may be the last to hold another
  const std::lock_guard lock(mutex);
  const auto found = entries().find(key_);
  if (found == entries().end()) return;
  current = found->second.cluster.lock();
  if (current.get() == this) entries().erase(found);
}

}  // namespace blockhaul
