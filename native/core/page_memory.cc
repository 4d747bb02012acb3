#include "core/page_memory.h"

#include <sys/mman.h>

#include <utility>

namespace blockhaul {

Result<PageMemory> PageMemory::create(std::size_t bytes) {
  void* mapping =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return Error::from_errno(errno, Operation::open, "buffers");
  // A page fault for each 4 KiB cost more than all else that an engine without storage does.
  ::madvise(mapping, bytes, MADV_HUGEPAGE);
  ::madvise(mapping, bytes, MADV_DONTFORK);
  ::madvise(mapping, bytes, MADV_DONTDUMP);
  return PageMemory({static_cast<std::byte*>(mapping), bytes});
}

PageMemory::~PageMemory() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

PageMemory::PageMemory(PageMemory&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

PageMemory& PageMemory::operator=(PageMemory&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace blockhaul
