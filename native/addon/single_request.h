#pragma once

#include "addon/node_api.h"
#include "core/error.h"

namespace blockhaul {

class VolumeHandle;

/// One request of JavaScript's to a volume, outside any copy.
struct SingleRequest {
  Operation operation = Operation::read;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  Napi::Uint8Array buffer{};  ///< of read and write
};

/// Starts it on the environment's reactor; the promise resolves to undefined.
Napi::Value start_request(Napi::Env env, VolumeHandle& handle, const SingleRequest& single);

}  // namespace blockhaul
