#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace blockhaul::test {

/// Notes in GoogleTest's report how many cases a test ran, and of what: scripts/lib/results.mjs
/// adds them up for the table that CI prints.
inline void count_cases(const std::string& what, std::uint64_t cases) {
  testing::Test::RecordProperty("counted", what);
  testing::Test::RecordProperty("cases", std::to_string(cases));
}

/// Of an environment variable.
inline std::uint64_t number_from(const char* name, std::uint64_t fallback) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr ? fallback : std::strtoull(value, nullptr, 0);
}

}  // namespace blockhaul::test
