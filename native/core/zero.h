#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace blockhaul {

/// True where every byte is zero; true for no bytes. The fastest version that this processor has is
/// chosen once, at the first call.
[[nodiscard]] bool is_zero(std::span<const std::byte> bytes);

/// The version without SIMD: what others are tested against, and what runs where there is none.
[[nodiscard]] bool is_zero_portable(std::span<const std::byte> bytes);

/// "avx2", "sse2" or "portable".
[[nodiscard]] std::string_view is_zero_version();

}  // namespace blockhaul
