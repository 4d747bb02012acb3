#include "core/secret_memory.h"

#include <string.h>  // NOLINT(modernize-deprecated-headers): explicit_bzero
#include <sys/mman.h>

#include <utility>

namespace blockhaul {

Result<SecretMemory> SecretMemory::create(std::size_t bytes) {
  void* mapping =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return Error::from_errno(errno, Operation::open, "a secret's memory");
  ::madvise(mapping, bytes, MADV_DONTDUMP);
  ::madvise(mapping, bytes, MADV_WIPEONFORK);
  // Where the limit is used up, it may be swapped out.
  (void)::mlock(mapping, bytes);
  return SecretMemory({static_cast<std::byte*>(mapping), bytes});
}

SecretMemory::~SecretMemory() {
  if (bytes_.empty()) return;
  wipe();
  ::munmap(bytes_.data(), bytes_.size());
}

SecretMemory::SecretMemory(SecretMemory&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})) {}

SecretMemory& SecretMemory::operator=(SecretMemory&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

void SecretMemory::wipe() const { ::explicit_bzero(bytes_.data(), bytes_.size()); }

}  // namespace blockhaul
