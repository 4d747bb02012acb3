#pragma once

#include <cstdint>

#include "core/error.h"

namespace blockhaul {

/// A request that reached a volume of a test.
struct LoggedRequest {
  Operation operation = Operation::read;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool operator==(const LoggedRequest&) const = default;
};

}  // namespace blockhaul
