#include "core/xxh3.h"

#if defined(__x86_64__)

// All that xxhash.h includes comes first: what is inline there must not become AVX2 code.
#include <immintrin.h>

#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

#define XXH_VECTOR 2  // XXH_AVX2, which xxhash.h defines too late
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace blockhaul {

void xxh3_128_avx2(const void* bytes, std::size_t length, void* value) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, length));
  std::memcpy(value, canonical.digest, sizeof canonical.digest);
}

}  // namespace blockhaul

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif
