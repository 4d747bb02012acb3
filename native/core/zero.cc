#include "core/zero.h"

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace blockhaul {
namespace {

bool tail_is_zero(const std::byte* from, std::size_t length) {
  unsigned char any = 0;
  for (std::size_t i = 0; i < length; ++i) any |= std::to_integer<unsigned char>(from[i]);
  return any == 0;
}

#if defined(__x86_64__)

bool is_zero_sse2(std::span<const std::byte> bytes) {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  const __m128i nothing = _mm_setzero_si128();
  for (; left >= 64; at += 64, left -= 64) {
    const auto* lane = reinterpret_cast<const __m128i*>(at);
    const __m128i any =
        _mm_or_si128(_mm_or_si128(_mm_loadu_si128(lane), _mm_loadu_si128(lane + 1)),
                     _mm_or_si128(_mm_loadu_si128(lane + 2), _mm_loadu_si128(lane + 3)));
    if (_mm_movemask_epi8(_mm_cmpeq_epi8(any, nothing)) != 0xffff) return false;
  }
  return tail_is_zero(at, left);
}

[[gnu::target("avx2")]] bool is_zero_avx2(std::span<const std::byte> bytes) {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 128; at += 128, left -= 128) {
    const auto* lane = reinterpret_cast<const __m256i*>(at);
    const __m256i any = _mm256_or_si256(
        _mm256_or_si256(_mm256_loadu_si256(lane), _mm256_loadu_si256(lane + 1)),
        _mm256_or_si256(_mm256_loadu_si256(lane + 2), _mm256_loadu_si256(lane + 3)));
    if (_mm256_testz_si256(any, any) == 0) return false;
  }
  return is_zero_sse2({at, left});
}

#endif

struct Version {
  bool (*run)(std::span<const std::byte>);
  std::string_view name;
};

Version choose_version() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return {is_zero_avx2, "avx2"};
  return {is_zero_sse2, "sse2"};  // part of every x86-64
#else
  return {is_zero_portable, "portable"};
#endif
}

const Version& chosen_version() {
  static const Version version = choose_version();
  return version;
}

}  // namespace

bool is_zero_portable(std::span<const std::byte> bytes) {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  constexpr std::size_t kStep = 4 * sizeof(std::uint64_t);
  for (; left >= kStep; at += kStep, left -= kStep) {
    std::uint64_t word[4];
    std::memcpy(word, at, kStep);
    if ((word[0] | word[1] | word[2] | word[3]) != 0) return false;
  }
  return tail_is_zero(at, left);
}

bool is_zero(std::span<const std::byte> bytes) { return chosen_version().run(bytes); }

std::string_view is_zero_version() { return chosen_version().name; }

}  // namespace blockhaul
