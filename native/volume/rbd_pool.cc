#include "volume/rbd_pool.h"

namespace blockhaul {

std::string quoted(const std::string& name) { return "\"" + name + "\""; }

std::string RbdPlace::path() const { return name_space.empty() ? pool : pool + "/" + name_space; }

Result<std::unique_ptr<RbdPool>> RbdPool::open(std::shared_ptr<RadosCluster> cluster,
                                               const RbdPlace& place) {
  const Librbd& librbd = cluster->librbd();
  if (!place.name_space.empty() && librbd.rbd_namespace_exists == nullptr) {
    return Error{.number = ENOTSUP,
                 .message = "librbd " + librbd.version() + " knows no namespaces"};
  }
  rados_ioctx_t handle = nullptr;
  const int result = librbd.rados_ioctx_create(cluster->get(), place.pool.c_str(), &handle);
  if (result == -ENOENT) {
    return Error{.number = ENOENT, .message = "pool " + quoted(place.pool) + " does not exist"};
  }
  if (result == -EPERM || result == -EACCES) {
    return Error::from_errno(-result, Operation::open,
                             place.connection.name + " may not use pool " + quoted(place.pool));
  }
  if (result < 0) {
    return Error::from_errno(-result, Operation::open, "use pool " + quoted(place.pool));
  }
  librbd.rados_ioctx_set_namespace(handle, place.name_space.c_str());
  // Else a write into a full pool or cluster waits until somebody makes room, and says nothing.
  if (librbd.rados_set_pool_full_try != nullptr) librbd.rados_set_pool_full_try(handle);
  return std::unique_ptr<RbdPool>(new RbdPool(std::move(cluster), place, handle));
}

bool RbdPool::has_namespace() const {
  bool exists = true;
  if (place_.name_space.empty()) return true;
  return librbd().rbd_namespace_exists(handle_, place_.name_space.c_str(), &exists) < 0 || exists;
}

Error RbdPool::failed(int result, const std::string& what) const {
  if (result == -ESHUTDOWN) cluster_->abandon();
  if (result == -EPERM || result == -EACCES) {
    return Error::from_errno(-result, Operation::open, place_.connection.name + " may not " + what);
  }
  return Error::from_errno(-result, Operation::open, what);
}

Error RbdPool::not_found(const std::string& image) const {
  if (!has_namespace()) return no_namespace();
  return Error{.number = ENOENT, .message = "image " + quoted(image) + " does not exist"};
}

Error RbdPool::no_namespace() const {
  return Error{.number = ENOENT,
               .message = "namespace " + quoted(place_.name_space) + " of pool " +
                          quoted(place_.pool) + " does not exist"};
}

}  // namespace blockhaul
