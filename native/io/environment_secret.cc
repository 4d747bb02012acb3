#include "io/environment_secret.h"

#include <string.h>  // NOLINT(modernize-deprecated-headers): explicit_bzero

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace blockhaul {

Result<std::optional<SecretMemory>> take_from_environment(const char* name) {
  char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  if (value == nullptr) return std::optional<SecretMemory>();
  const std::size_t length = std::strlen(value);
  auto memory = SecretMemory::create(std::max<std::size_t>(length, 1));
  if (!memory) return memory.error();
  std::memcpy(memory.value().bytes().data(), value, length);
  ::explicit_bzero(value, length);
  ::unsetenv(name);  // NOLINT(concurrency-mt-unsafe)
  return std::optional<SecretMemory>(std::move(memory.value()));
}

}  // namespace blockhaul
