#include "core/buffer_pool.h"

#include <cassert>
#include <utility>

namespace blockhaul {

Result<std::unique_ptr<BufferPool>> BufferPool::create(std::size_t buffer_size, std::size_t count) {
  Result<PageMemory> memory = PageMemory::create(buffer_size * count);
  if (!memory) return memory.error();
  return std::unique_ptr<BufferPool>(new BufferPool(std::move(memory.value()), buffer_size, count));
}

BufferPool::BufferPool(PageMemory memory, std::size_t buffer_size, std::size_t count)
    : memory_(std::move(memory)), buffer_size_(buffer_size), count_(count) {
  free_.reserve(count);
  std::byte* first = memory_.bytes().data();
  for (std::size_t i = count; i > 0; --i) free_.push_back(first + (i - 1) * buffer_size_);
}

BufferPool::~BufferPool() { assert(lent() == 0 && "a buffer outlives its pool"); }

std::optional<std::span<std::byte>> BufferPool::take() {
  if (free_.empty()) return std::nullopt;
  std::byte* buffer = free_.back();
  free_.pop_back();
  return std::span<std::byte>{buffer, buffer_size_};
}

void BufferPool::give_back(std::span<std::byte> buffer) {
  assert((buffer.data() - memory_.bytes().data()) % static_cast<std::ptrdiff_t>(buffer_size_) == 0);
  free_.push_back(buffer.data());
}

}  // namespace blockhaul
