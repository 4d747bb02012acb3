#include "volume/rbd_volume.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "core/units.h"
#include "volume/rbd_fixture.h"

namespace blockhaul::test {
namespace {

class RbdVolumeTest : public RbdTest {
 protected:
  Bytes read(Volume& volume, std::uint64_t offset, std::size_t length) {
    Bytes bytes(length, std::byte{0xee});
    EXPECT_EQ(io_.read(volume, offset, bytes), 0);
    return bytes;
  }
};

void place(Bytes& image, std::uint64_t offset, const Bytes& piece) {
  std::copy(piece.begin(), piece.end(), image.begin() + static_cast<std::ptrdiff_t>(offset));
}

TEST_F(RbdVolumeTest, DescribesAnImageThatItMade) {
  const std::string name = new_name();
  auto volume = create(name, {.size = 10 * kMiB + 513, .order = 20});
  ASSERT_NE(volume, nullptr);
  const VolumeInfo& info = volume->info();
  EXPECT_EQ(info.kind, "rbd");
  EXPECT_EQ(info.name, "rbd:rbd/" + name);
  EXPECT_EQ(info.size, 10 * kMiB + 513);
  EXPECT_EQ(info.block_size, 1U);
  EXPECT_EQ(info.preferred_size, kMiB);
  EXPECT_EQ(info.zero_state, ZeroState::proven_zero);
  EXPECT_FALSE(info.read_only);
  EXPECT_TRUE(info.direct);
  EXPECT_TRUE(info.zeroes);
  EXPECT_TRUE(info.maps_extents);

  std::string fsid = ceph("fsid");
  while (!fsid.empty() && fsid.back() == '\n') fsid.pop_back();
  const std::string description = rbd("info " + name + " --format json");
  const std::size_t id = description.find("\"id\":\"") + 6;
  const std::string expected = "/" + description.substr(id, description.find('"', id) - id);
  EXPECT_EQ(info.identity.find("rbd:" + fsid + "/"), 0U) << info.identity;
  EXPECT_EQ(info.identity.substr(info.identity.rfind('/')), expected);

  rbd("snap create " + name + "@s --no-progress");
  auto again = open_to_read(name);
  auto snapshot = open_to_read(name, "s");
  ASSERT_TRUE(again && snapshot);
  EXPECT_EQ(again->info().identity, info.identity);
  EXPECT_EQ(again->info().zero_state, ZeroState::unknown);
  EXPECT_TRUE(again->info().read_only);
  EXPECT_EQ(snapshot->info().identity.find(info.identity + "@"), 0U);
  EXPECT_EQ(snapshot->info().name, "rbd:rbd/" + name + "@s");
}

TEST_F(RbdVolumeTest, SeesWhatAnotherClientWroteIntoANewImage) {
  const std::atomic<bool> go_on{false};
  const std::atomic<bool> stopped{true};
  for (const bool object_map : {true, false}) {
    SCOPED_TRACE(object_map);
    const std::string name = new_name();
    std::vector<std::string> features{"layering", "exclusive-lock"};
    if (object_map) features.insert(features.end(), {"object-map", "fast-diff"});
    auto volume = create(name, {.size = 10 * kGiB + 5, .features = features});
    ASSERT_NE(volume, nullptr);
    EXPECT_TRUE(volume->confirm_zero(go_on));
    EXPECT_FALSE(volume->confirm_zero(stopped));
    rbd("bench --io-type write --io-size 4K --io-threads 1 --io-total 4K " + name);
    EXPECT_NE(rbd("diff " + name), "");
    EXPECT_FALSE(volume->confirm_zero(go_on));
  }
}

TEST_F(RbdVolumeTest, KeepsBytesAtAnyOffset) {
  const std::string name = new_name();
  const std::uint64_t size = 9 * kMiB + 1;
  auto volume = create(name, {.size = size});
  ASSERT_NE(volume, nullptr);
  Bytes expected(size);
  struct Piece {
    std::uint64_t offset;
    std::size_t length;
  };
  const std::vector<Piece> pieces = {{0, 1},
                                     {1, 511},
                                     {4095, 2},
                                     {65535, 65537},
                                     {kMiB, kMiB},
                                     {4 * kMiB - 3, 7},
                                     {7 * kMiB + 1, kMiB},
                                     {size - 1, 1},
                                     {size - 4097, 4095},
                                     {500, 20},
                                     {4 * kMiB - 1, kMiB + 2}};
  std::uint64_t seed = 1;
  for (const Piece& piece : pieces) {
    const Bytes bytes = random_bytes(piece.length, seed++);
    ASSERT_EQ(io_.write(*volume, piece.offset, bytes), 0) << piece.offset;
    place(expected, piece.offset, bytes);
  }
  ASSERT_EQ(io_.flush(*volume), 0);
  EXPECT_TRUE(read(*volume, 0, size) == expected);
  for (const Piece& piece : pieces) {
    Bytes part(piece.length);
    std::copy_n(expected.begin() + static_cast<std::ptrdiff_t>(piece.offset), piece.length,
                part.begin());
    EXPECT_TRUE(read(*volume, piece.offset, piece.length) == part) << piece.offset;
  }
  EXPECT_TRUE(exported(name) == expected);
}

TEST_F(RbdVolumeTest, MakesZerosExactlyWhereTheyAreWanted) {
  const std::string name = new_name();
  const std::uint64_t size = 12 * kMiB;
  auto volume = create(name, {.size = size});
  ASSERT_NE(volume, nullptr);
  Bytes expected = random_bytes(size, 3);
  ASSERT_EQ(io_.write(*volume, 0, expected), 0);
  const auto zero = [&](std::uint64_t offset, std::uint64_t length) {
    ASSERT_EQ(io_.zero(*volume, offset, length), 0) << offset;
    std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(offset), length, std::byte{});
  };
  zero(1, 1);
  zero(4096, 4096);
  zero(65535, 65538);
  zero(4 * kMiB - 1, 4 * kMiB + 2);
  zero(size - 513, 513);
  EXPECT_TRUE(read(*volume, 0, size) == expected);
  EXPECT_TRUE(exported(name) == expected);
  // The whole object in the middle is gone from the medium.
  const std::string diff = rbd("diff " + name + " --format json");
  EXPECT_EQ(diff.find("\"offset\":4194304,\"length\":4194304"), std::string::npos) << diff;
}

TEST_F(RbdVolumeTest, ZerosOfASparseImageTakeNoSpace) {
  const std::string name = new_name();
  auto volume = create(name, {.size = 3 * kGiB + 12345});
  ASSERT_NE(volume, nullptr);
  EXPECT_EQ(io_.zero(*volume, 777, 3 * kGiB), 0);
  EXPECT_EQ(rbd("diff " + name), "");
}

TEST_F(RbdVolumeTest, HidesWhatAParentHolds) {
  const std::string parent = new_name();
  const std::string child = new_name();
  const std::uint64_t size = 12 * kMiB;
  Bytes expected = random_bytes(size, 4);
  {
    auto volume = create(parent, {.size = size});
    ASSERT_NE(volume, nullptr);
    ASSERT_EQ(io_.write(*volume, 0, expected), 0);
  }
  rbd("snap create " + parent + "@base --no-progress");
  rbd("clone --rbd-default-clone-format 2 " + parent + "@base " + child);
  auto volume = open_to_write(child);
  ASSERT_NE(volume, nullptr);
  EXPECT_EQ(volume->info().zero_state, ZeroState::unknown);
  EXPECT_TRUE(read(*volume, 0, size) == expected);
  ASSERT_EQ(io_.zero(*volume, 4 * kMiB, 4 * kMiB), 0);
  ASSERT_EQ(io_.zero(*volume, 100, 1000), 0);
  ASSERT_EQ(io_.write(*volume, 9 * kMiB + 7, random_bytes(100, 5)), 0);
  std::fill_n(expected.begin() + 4 * kMiB, 4 * kMiB, std::byte{});
  std::fill_n(expected.begin() + 100, 1000, std::byte{});
  place(expected, 9 * kMiB + 7, random_bytes(100, 5));
  EXPECT_TRUE(read(*volume, 0, size) == expected);
  volume.reset();
  EXPECT_TRUE(exported(child) == expected);
}

TEST_F(RbdVolumeTest, ManyRequestsAtOnceKeepTheirPlaces) {
  const std::string name = new_name();
  constexpr std::size_t kPiece = 192 * kKiB + 1;
  constexpr std::size_t kPieces = 100;
  auto volume = create(name, {.size = kPiece * kPieces});
  ASSERT_NE(volume, nullptr);
  Bytes expected = random_bytes(kPiece * kPieces, 6);
  const auto requests = [](Operation operation, Bytes& bytes) {
    std::vector<Request> all(kPieces);
    for (std::size_t i = 0; i < kPieces; ++i) {
      all[i].operation = operation;
      all[i].offset = i * kPiece;
      all[i].length = kPiece;
      all[i].data = std::span(bytes).subspan(i * kPiece, kPiece);
    }
    return all;
  };
  std::vector<Request> writes = requests(Operation::write, expected);
  io_.run(*volume, writes);
  for (const Request& request : writes) EXPECT_EQ(request.error, 0);
  Bytes found(expected.size());
  std::vector<Request> reads = requests(Operation::read, found);
  io_.run(*volume, reads);
  for (const Request& request : reads) EXPECT_EQ(request.error, 0);
  EXPECT_TRUE(found == expected);
}

TEST_F(RbdVolumeTest, RequestsBeyondAPieceGoOn) {
  const std::string name = new_name();
  auto volume = create(name, {.size = 2 * kGiB});
  ASSERT_NE(volume, nullptr);
  const Bytes bytes = random_bytes(3 * kMiB, 7);
  ASSERT_EQ(io_.write(*volume, kGiB - kMiB - 1, bytes), 0);
  EXPECT_TRUE(read(*volume, kGiB - kMiB - 1, bytes.size()) == bytes);
}

TEST_F(RbdVolumeTest, NothingIsWrittenThroughAReader) {
  const std::string name = new_name();
  ASSERT_NE(create(name, {.size = kMiB}), nullptr);
  auto volume = open_to_read(name);
  ASSERT_NE(volume, nullptr);
  EXPECT_FALSE(volume->info().zeroes);
  EXPECT_EQ(io_.write(*volume, 0, random_bytes(10, 8)), EROFS);
  EXPECT_EQ(io_.zero(*volume, 0, 10), EROFS);
  EXPECT_EQ(io_.flush(*volume), 0);
  EXPECT_EQ(io_.read(*volume, 0, {}), 0);
}

TEST_F(RbdVolumeTest, ASnapshotKeepsItsBytesAndItsSize) {
  const std::string name = new_name();
  auto volume = create(name, {.size = 8 * kMiB});
  ASSERT_NE(volume, nullptr);
  const Bytes before = random_bytes(8 * kMiB, 9);
  ASSERT_EQ(io_.write(*volume, 0, before), 0);
  volume.reset();
  rbd("snap create " + name + "@then --no-progress");
  rbd("resize --size 16M " + name + " --no-progress");
  volume = open_to_write(name);
  ASSERT_NE(volume, nullptr);
  EXPECT_EQ(volume->info().size, 16 * kMiB);
  ASSERT_EQ(io_.write(*volume, kMiB, random_bytes(5 * kMiB, 10)), 0);
  auto then = open_to_read(name, "then");
  ASSERT_NE(then, nullptr);
  EXPECT_EQ(then->info().size, 8 * kMiB);
  EXPECT_TRUE(read(*then, 0, 8 * kMiB) == before);
}

TEST_F(RbdVolumeTest, AnImageThatShrankIsAnError) {
  const std::string name = new_name();
  auto volume = create(name, {.size = 8 * kMiB});
  ASSERT_NE(volume, nullptr);
  rbd("resize --allow-shrink --size 5M " + name + " --no-progress");
  Bytes bytes(2 * kMiB);
  // librbd hears of it a moment later, and until then reads nothing, successfully.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (io_.read(*volume, 6 * kMiB, bytes) == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(io_.read(*volume, 6 * kMiB, bytes), EIO);
  EXPECT_EQ(io_.read(*volume, 4 * kMiB, bytes), EIO);
  EXPECT_EQ(io_.write(*volume, 6 * kMiB, bytes), EIO);
  EXPECT_EQ(io_.read(*volume, 3 * kMiB, bytes), 0);
}

TEST_F(RbdVolumeTest, StripesAreNoObstacle) {
  const std::string name = new_name();
  const std::uint64_t size = 20 * kMiB + 17;
  auto volume =
      create(name, {.size = size, .order = 20, .stripe_unit = 64 * kKiB, .stripe_count = 3});
  ASSERT_NE(volume, nullptr);
  EXPECT_EQ(volume->info().preferred_size, 64 * kKiB);
  const Bytes expected = random_bytes(size, 11);
  ASSERT_EQ(io_.write(*volume, 0, expected), 0);
  EXPECT_TRUE(read(*volume, 0, size) == expected);
  EXPECT_TRUE(exported(name) == expected);
}

TEST_F(RbdVolumeTest, SaysWhenTheImageHasACacheOfItsOwn) {
  const std::string name = new_name();
  ASSERT_NE(create(name, {.size = kMiB}), nullptr);
  rbd("config image set " + name + " rbd_cache true");
  auto volume = open_to_read(name);
  ASSERT_NE(volume, nullptr);
  EXPECT_FALSE(volume->info().direct);
}

TEST_F(RbdVolumeTest, AFullPoolIsAnErrorNotAWait) {
  const std::string pool = new_name();
  ceph("osd pool create " + pool + " 8");
  ceph("osd pool application enable " + pool + " rbd");
  ceph("osd pool set-quota " + pool + " max_objects 20");
  RbdOpenOptions inside = options("inside");
  inside.pool = pool;
  inside.writable = true;
  inside.create = RbdCreateOptions{.size = kGiB, .order = 16};
  RbdOpenOptions outside = inside;
  outside.pool = "rbd";
  outside.image = pool;
  outside.create->data_pool = pool;
  std::array<std::unique_ptr<RbdVolume>, 2> volumes = {open(inside), open(outside)};
  std::array<int, 2> errors{};
  ASSERT_TRUE(volumes[0] && volumes[1]);
  // The monitor counts objects only now and then.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  std::uint64_t offset = 0;
  while ((errors[0] == 0 || errors[1] == 0) && std::chrono::steady_clock::now() < deadline) {
    for (std::size_t i = 0; i < volumes.size(); ++i) {
      if (errors[i] == 0) errors[i] = io_.write(*volumes[i], offset, random_bytes(kMiB, offset));
    }
    offset += kMiB;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(errors, (std::array{EDQUOT, EDQUOT}));
  volumes = {};
  rbd("rm " + outside.image + " --no-progress");
  ceph("osd pool delete " + pool + " " + pool + " --yes-i-really-really-mean-it");
}

TEST_F(RbdVolumeTest, AClientThatWasShutOutComesBackWithANewOpen) {
  const std::string name = new_name();
  auto volume = create(name, {.size = kMiB});
  ASSERT_NE(volume, nullptr);
  const std::string status = rbd("status " + name + " --format json");
  const std::size_t start = status.find("\"address\":\"") + 11;
  const std::string address = status.substr(start, status.find('"', start) - start);
  ceph("osd blocklist add " + address + " 60");
  EXPECT_EQ(io_.write(*volume, 0, random_bytes(4096, 12)), ESHUTDOWN) << status;
  auto again = open_to_write(name);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(io_.write(*again, 0, random_bytes(4096, 12)), 0);
  ceph("osd blocklist rm " + address);
}

}  // namespace
}  // namespace blockhaul::test
