#pragma once

#include <functional>
#include <memory>

#include "volume/bounded_call.h"
#include "volume/rbd_opening.h"

namespace blockhaul {

/// What is done on a connection; it may beat the pulse as it gets on.
template <typename T>
using RbdWork = std::function<Result<T>(const std::shared_ptr<RadosCluster>&, Pulse&)>;

/// What becomes of a result that nobody waits for any more, on a thread of its own.
template <typename T>
using RbdLate = std::function<void(const Result<T>&)>;

[[nodiscard]] Error rbd_unanswered(std::chrono::seconds patience);

/// For nobody: the answer of work that is given up before it changes anything.
[[nodiscard]] Error rbd_given_up();

/// Connects, and does something there on a thread of its own. Blocks, but no longer without a beat
/// than the connection's patience: a cluster without working OSDs would never answer. The call that
/// is given up may still come to its end, whenever the cluster answers again; none is begun after
/// it.
template <typename T>
Result<T> on_cluster(const CephConnection& connection, RbdWork<T> work, RbdLate<T> late = nullptr) {
  auto librbd = Librbd::load();
  if (!librbd) return librbd.error();
  auto cluster = RadosCluster::connect(*librbd.value(), connection);
  if (!cluster) return cluster.error();
  const auto pulse = std::make_shared<Pulse>();
  const std::chrono::seconds patience = cluster.value()->patience();
  auto result = call_within<T>(
      patience, [=, cluster = cluster.value()] { return work(cluster, *pulse); },
      [late](const Result<T>& result) {
        if (late) late(result);
      },
      pulse);
  RadosHandle::reached(RadosHandle::Stage::opened);
  if (result) return std::move(*result);
  return rbd_unanswered(patience);
}

/// Does something in a pool; see on_cluster().
template <typename T>
Result<T> in_pool(const RbdPlace& place, std::function<Result<T>(const RbdPool&, Pulse&)> work) {
  return on_cluster<T>(
      place.connection,
      [=](const std::shared_ptr<RadosCluster>& cluster, Pulse& pulse) -> Result<T> {
        auto pool = RbdPool::open(cluster, place);
        if (!pool) return pool.error();
        if (pulse.is_given_up()) return rbd_given_up();
        return work(*pool.value(), pulse);
      });
}

/// Opens an image, does something with it and closes it; see on_cluster().
template <typename T>
Result<T> with_image(const RbdOpenOptions& options,
                     std::function<Result<T>(const RbdImage&, Pulse&)> work,
                     RbdLate<T> late = nullptr) {
  auto opening = RbdOpening::prepare(options);
  if (!opening) return opening.error();
  return on_cluster<T>(
      options.connection,
      [work, opening = opening.value()](const std::shared_ptr<RadosCluster>& cluster,
                                        Pulse& pulse) -> Result<T> {
        auto image = opening.run(cluster);
        if (!image) return image.error();
        if (pulse.is_given_up()) return rbd_given_up();
        pulse.beat();
        return work(*image.value(), pulse);
      },
      late);
}

/// For librbd's calls with progress: beats the pulse that `context` is.
int beat_pulse(std::uint64_t done, std::uint64_t total, void* context) noexcept;

}  // namespace blockhaul
