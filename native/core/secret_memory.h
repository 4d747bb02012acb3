#pragma once

#include <cstddef>
#include <span>

#include "core/result.h"

namespace blockhaul {

/// Memory for a secret, zero at first: pages of its own that are in no core dump and in no forked
/// child, and, as far as the limit on locked memory allows, never in swap. It is wiped when it
/// goes.
class SecretMemory {
 public:
  /// Fails with ENOMEM. `bytes` is at least 1.
  static Result<SecretMemory> create(std::size_t bytes);
  ~SecretMemory();
  SecretMemory(SecretMemory&& other) noexcept;
  SecretMemory& operator=(SecretMemory&& other) noexcept;
  SecretMemory(const SecretMemory&) = delete;
  SecretMemory& operator=(const SecretMemory&) = delete;

  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }
  /// Makes all of it zero; no compiler leaves that out.
  void wipe() const;

 private:
  explicit SecretMemory(std::span<std::byte> bytes) : bytes_(bytes) {}
  std::span<std::byte> bytes_{};
};

}  // namespace blockhaul
