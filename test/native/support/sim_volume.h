#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "support/simulation.h"
#include "volume/posix_volume.h"

namespace blockhaul::test {

struct SimVolumeOptions {
  std::uint64_t size = 0;  ///< bytes
  bool is_block = true;
  bool writes = false;
  bool direct = true;  ///< false: all goes through the page cache
  std::uint32_t sector = 512;
  bool proven_zero = false;  ///< of a device
  std::string name = "sim:";
};

/// The real PosixVolume, around descriptors of a simulated disk. Of a file it cannot ask the kernel
/// for a map, so all is data, nor whether it still is one hole, so nothing is proven.
inline std::unique_ptr<PosixVolume> open_volume(Simulation& world, SimDisk& disk,
                                                const SimVolumeOptions& options) {
  PosixInode inode;
  inode.info.kind = options.is_block ? "block" : "file";
  inode.info.name = options.name;
  inode.info.identity = options.name;
  inode.info.size = options.size;
  inode.info.block_size = options.is_block ? options.sector : 1;
  inode.info.read_only = !options.writes;
  inode.info.zeroes = options.writes;
  inode.info.direct = options.direct;
  inode.info.zero_state = options.proven_zero ? ZeroState::proven_zero : ZeroState::unknown;
  inode.is_block = options.is_block;
  if (options.direct) {
    inode.memory_alignment = 512;
    inode.offset_alignment = options.sector;
    inode.direct = UniqueDescriptor(world.open(disk, {.direct = true, .writes = options.writes}));
  }
  inode.buffered = UniqueDescriptor(world.open(disk, {.direct = false, .writes = options.writes}));
  return std::make_unique<PosixVolume>(std::move(inode));
}

/// A volume with a map: what is not named is data.
class MappedVolume final : public Volume {
 public:
  MappedVolume(Volume& inner, std::vector<Extent> extents, std::size_t extents_per_answer)
      : inner_(inner),
        info_(inner.info()),
        extents_(std::move(extents)),
        most_(extents_per_answer) {
    info_.maps_extents = true;
  }

  [[nodiscard]] const VolumeInfo& info() const override { return info_; }
  void submit(Reactor& reactor, Request& request) override { inner_.submit(reactor, request); }
  Result<std::vector<Extent>> map(std::uint64_t offset, std::uint64_t length) override {
    std::vector<Extent> answer = cover_range(extents_, offset, length, ExtentKind::data);
    if (answer.size() > most_) answer.resize(most_);
    return answer;
  }

 private:
  Volume& inner_;
  VolumeInfo info_;
  std::vector<Extent> extents_;
  std::size_t most_;
};

}  // namespace blockhaul::test
