#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/units.h"
#include "support/content.h"

namespace blockhaul::test {

/// The bytes of a simulated disk. Pages are shared between copies and copied when they are written,
/// so that an image of many MiB with little in it costs little, and so does a copy of one.
class SimImage {
 public:
  enum class Fill : std::uint8_t { zeros, noise };

  explicit SimImage(std::uint64_t size = 0, Fill fill = Fill::zeros);
  /// Only what `content` calls data is looked at.
  explicit SimImage(const Content& content);

  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// What comes to it is zero.
  void resize(std::uint64_t size);
  // Ranges lie within the size.
  void read(std::uint64_t offset, std::span<std::byte> data) const;
  void write(std::uint64_t offset, std::span<const std::byte> data);
  void zero(std::uint64_t offset, std::uint64_t length);
  void flip_bit(std::uint64_t offset, unsigned bit);

  [[nodiscard]] Bytes bytes(std::uint64_t offset, std::uint64_t length) const;
  [[nodiscard]] Bytes bytes() const { return bytes(0, size_); }
  /// The first byte of [from, to) that is not the same in both; both reach so far.
  [[nodiscard]] std::optional<std::uint64_t> first_difference(const SimImage& other,
                                                              std::uint64_t from,
                                                              std::uint64_t to) const;
  /// Of the same size and content.
  bool operator==(const SimImage& other) const {
    return size_ == other.size_ && !first_difference(other, 0, size_);
  }

 private:
  static constexpr std::uint64_t kPage = 64 * kKiB;
  using Page = std::array<std::byte, kPage>;
  using SharedPage = std::shared_ptr<Page>;

  static const SharedPage& zero_page();
  static const SharedPage& noise_page();
  Page& own(std::uint64_t index);

  std::uint64_t size_;
  std::vector<SharedPage> pages_;  ///< behind the size, the last one holds zeros
};

/// In words; "" where the first `length` bytes are the same.
std::string difference(const SimImage& expected, const SimImage& actual, std::uint64_t length);

}  // namespace blockhaul::test
