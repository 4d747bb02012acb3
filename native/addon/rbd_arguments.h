#pragma once

#include "addon/node_api.h"
#include "volume/rbd_image.h"

namespace blockhaul {

/// The fields `connection`, `pool` and `namespace`.
RbdPlace rbd_place(const Napi::Object& object);

/// The same, `image` and, where there is one, `snapshot`.
RbdOpenOptions rbd_image(const Napi::Object& object);

/// The fields of `create`.
RbdCreateOptions rbd_create_options(const Napi::Object& object);

}  // namespace blockhaul
