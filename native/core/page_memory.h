#pragma once

#include <cstddef>
#include <span>

#include "core/result.h"

namespace blockhaul {

/// Page-aligned memory for I/O, zero at first, in huge pages where the kernel has them. It is kept
/// out of core dumps (other people's disks do not belong there) and of forked children (which must
/// not share pages that a device writes).
class PageMemory {
 public:
  /// Fails with ENOMEM. `bytes` is at least 1.
  static Result<PageMemory> create(std::size_t bytes);
  ~PageMemory();
  PageMemory(PageMemory&& other) noexcept;
  PageMemory& operator=(PageMemory&& other) noexcept;
  PageMemory(const PageMemory&) = delete;
  PageMemory& operator=(const PageMemory&) = delete;

  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }

 private:
  explicit PageMemory(std::span<std::byte> bytes) : bytes_(bytes) {}
  std::span<std::byte> bytes_{};
};

}  // namespace blockhaul
