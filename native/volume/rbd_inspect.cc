#include "volume/rbd_inspect.h"

#include "volume/rbd_task.h"

namespace blockhaul {

Result<RbdInspection> inspect_image(const RbdOpenOptions& options) {
  return with_image<RbdInspection>(
      options, [](const RbdImage& image, Pulse&) -> Result<RbdInspection> {
        const RbdFacts& facts = image.facts();
        return RbdInspection{.fsid = image.cluster().fsid(),
                             .id = facts.id,
                             .size = facts.size,
                             .features = feature_names(facts.features)};
      });
}

}  // namespace blockhaul
