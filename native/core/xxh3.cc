#include "core/xxh3.h"

#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace blockhaul {
namespace {

struct Version {
  Xxh3Value (*run)(std::span<const std::byte>);
  std::string_view name;
};

#if defined(__x86_64__)
Xxh3Value with_avx2(std::span<const std::byte> bytes) {
  Xxh3Value value;
  xxh3_128_avx2(bytes.data(), bytes.size(), value.data());
  return value;
}
#endif

Version choose_version() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return {with_avx2, "avx2"};
#endif
  return {xxh3_128_baseline, "baseline"};
}

const Version& chosen_version() {
  static const Version version = choose_version();
  return version;
}

}  // namespace

Xxh3Value xxh3_128_baseline(std::span<const std::byte> bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  Xxh3Value value;
  std::memcpy(value.data(), canonical.digest, value.size());
  return value;
}

Xxh3Value xxh3_128(std::span<const std::byte> bytes) { return chosen_version().run(bytes); }

std::string_view xxh3_version() { return chosen_version().name; }

}  // namespace blockhaul
