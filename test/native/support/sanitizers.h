#pragma once

namespace blockhaul::test {

/// Under the thread sanitizer all is many times slower, and what runs on one thread shows it
/// nothing: such tests do a part of their rounds there.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kAddressSanitizer = true;
#else
inline constexpr bool kAddressSanitizer = false;
#endif

}  // namespace blockhaul::test
