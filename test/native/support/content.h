#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "core/digest.h"
#include "core/extent.h"

namespace blockhaul::test {

using Bytes = std::vector<std::byte>;

/// A volume's content, and the extents that describe it: what they call a hole or zero is zero.
struct Content {
  Bytes bytes{};
  std::vector<Extent> extents{};  ///< what holds data and what does not, without gaps
};

/// Bytes that repeat for the same seed, none of them zero, no two blocks of 4 KiB alike.
Bytes random_bytes(std::size_t size, std::uint64_t seed);

/// Data in the ranges that are named as data, zeros elsewhere.
Content content_of(std::size_t size, const std::vector<Extent>& named, std::uint64_t seed);

/// `period` bytes of data, as many of zeros, and so on.
Content alternating(std::size_t size, std::size_t period, std::uint64_t seed);

/// Extents of all kinds and lengths, mostly not aligned to anything; in the data, stretches of
/// zeros.
Content random_content(std::size_t size, std::mt19937_64& random);

/// Where two contents differ first, in words; "" where they are the same.
std::string difference(const Bytes& expected, const Bytes& actual);

/// The digest of a volume, computed from the definition in core/digest.h in the most simple way and
/// with none of the engine's code.
std::string reference_digest(DigestKind kind, const Bytes& bytes);
/// The same of one chunk, or of what the last one holds.
std::string reference_chunk_digest(DigestKind kind, const Bytes& chunk);

}  // namespace blockhaul::test
