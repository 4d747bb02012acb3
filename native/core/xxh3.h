#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace blockhaul {

/// XXH3 with 128 bits and seed 0, in its canonical form.
using Xxh3Value = std::array<std::byte, 16>;

/// By AVX2 where the processor has it: a third of what a copy between files cost was this digest
/// without.
Xxh3Value xxh3_128(std::span<const std::byte> bytes);
/// "avx2", or "baseline" for what every processor of its kind can.
std::string_view xxh3_version();

/// For all processors.
Xxh3Value xxh3_128_baseline(std::span<const std::byte> bytes);
/// For processors with AVX2 only; `value` has room for 16 bytes. Of nothing but C: whatever C++ is
/// inline in a file made for AVX2 might be what the linker chooses for all.
void xxh3_128_avx2(const void* bytes, std::size_t length, void* value);

}  // namespace blockhaul
