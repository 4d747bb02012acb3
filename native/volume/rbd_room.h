#pragma once

#include <string>

#include "volume/rbd_pool.h"

namespace blockhaul {

/// What the monitors answer to `ceph df detail`: JSON, with how much each pool holds and can take.
/// Blocks; for how long at the most, on_cluster() says. Fails with ENOENT where there is no such
/// pool or namespace.
[[nodiscard]] Result<std::string> cluster_usage(const RbdPlace& place);

}  // namespace blockhaul
