#include "volume/synthetic_volume.h"

#include <algorithm>
#include <cstring>

namespace blockhaul {
namespace {

/// A volume whose requests are done at once, on the reactor's thread.
class SyntheticVolume : public Volume {
 public:
  explicit SyntheticVolume(VolumeInfo info) : info_(std::move(info)) {}

  [[nodiscard]] const VolumeInfo& info() const override { return info_; }

  void submit(Reactor& reactor, Request& request) override {
    complete_later(reactor, request, perform(request));
  }

 protected:
  virtual int perform(Request& request) = 0;

 private:
  VolumeInfo info_;
};

VolumeInfo describe(std::string kind, std::uint64_t size) {
  VolumeInfo info;
  info.name = kind + ":";
  info.identity = info.name + std::to_string(size);
  info.kind = std::move(kind);
  info.size = size;
  return info;
}

class NullVolume final : public SyntheticVolume {
 public:
  using SyntheticVolume::SyntheticVolume;

 protected:
  int perform(Request& request) override {
    if (request.operation == Operation::read)
      std::fill(request.data.begin(), request.data.end(), std::byte{});
    return 0;
  }
};

class ZeroVolume final : public SyntheticVolume {
 public:
  using SyntheticVolume::SyntheticVolume;

  Result<std::vector<Extent>> map(std::uint64_t offset, std::uint64_t length) override {
    return std::vector<Extent>{{offset, length, ExtentKind::hole}};
  }

 protected:
  int perform(Request& request) override {
    if (request.operation == Operation::flush) return 0;
    if (request.operation != Operation::read) return EROFS;
    std::fill(request.data.begin(), request.data.end(), std::byte{});
    return 0;
  }
};

/// Sebastiano Vigna's splitmix64: one multiplication chain a word, no state to seek in.
std::uint64_t splitmix64(std::uint64_t index) {
  std::uint64_t z = (index + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

class PatternVolume final : public SyntheticVolume {
 public:
  PatternVolume(VolumeInfo info, std::uint64_t seed)
      : SyntheticVolume(std::move(info)), seed_(seed) {}

 protected:
  int perform(Request& request) override {
    if (request.operation == Operation::flush) return 0;
    if (request.operation != Operation::read) return EROFS;
    std::span<std::byte> left = request.data;
    std::uint64_t word = seed_ + request.offset / kWord;
    if (const std::size_t skip = request.offset % kWord; skip != 0) {
      left = put_part(left, word++, skip);
    }
    // Whole words, with nothing else in the loop: a compiler makes several of them at once.
    for (; left.size() >= kWord; left = left.subspan(kWord)) {
      const std::uint64_t value = splitmix64(word++);
      std::memcpy(left.data(), &value, kWord);
    }
    if (!left.empty()) put_part(left, word, 0);
    return 0;
  }

 private:
  static constexpr std::size_t kWord = sizeof(std::uint64_t);

  /// The bytes of a word from `skip` on, as many as there is room for; what is left of the room.
  static std::span<std::byte> put_part(std::span<std::byte> room, std::uint64_t word,
                                       std::size_t skip) {
    const std::uint64_t value = splitmix64(word);
    const std::size_t count = std::min(kWord - skip, room.size());
    std::memcpy(room.data(), reinterpret_cast<const std::byte*>(&value) + skip, count);
    return room.subspan(count);
  }

  std::uint64_t seed_;
};

}  // namespace

std::unique_ptr<Volume> make_null_volume(std::uint64_t size) {
  VolumeInfo info = describe("null", size);
  info.read_only = false;
  info.zeroes = true;
  return std::make_unique<NullVolume>(std::move(info));
}

std::unique_ptr<Volume> make_zero_volume(std::uint64_t size) {
  VolumeInfo info = describe("zero", size);
  info.maps_extents = true;
  return std::make_unique<ZeroVolume>(std::move(info));
}

std::unique_ptr<Volume> make_pattern_volume(std::uint64_t size, std::uint64_t seed) {
  VolumeInfo info = describe("pattern", size);
  info.identity += ":" + std::to_string(seed);
  return std::make_unique<PatternVolume>(std::move(info), seed);
}

}  // namespace blockhaul
