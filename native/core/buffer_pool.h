#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/page_memory.h"

namespace blockhaul {

/// A fixed set of equal, page-aligned buffers that is made at the start and never grows: what a
/// copy holds in memory is what its pool holds. One thread uses a pool.
class BufferPool {
 public:
  /// `buffer_size` is a multiple of 4096; `count` is at least 1. Fails with ENOMEM.
  static Result<std::unique_ptr<BufferPool>> create(std::size_t buffer_size, std::size_t count);
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  /// A buffer, or nothing while all are lent.
  [[nodiscard]] std::optional<std::span<std::byte>> take();
  void give_back(std::span<std::byte> buffer);

  [[nodiscard]] std::size_t lent() const { return count_ - free_.size(); }

 private:
  BufferPool(PageMemory memory, std::size_t buffer_size, std::size_t count);

  PageMemory memory_;
  std::size_t buffer_size_;
  std::size_t count_;
  std::vector<std::byte*> free_;  ///< a stack: the buffer used last is the one still in cache
};

}  // namespace blockhaul
