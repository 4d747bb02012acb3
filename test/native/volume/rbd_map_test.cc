#include <cstdlib>
#include <random>
#include <string>

#include "core/units.h"
#include "volume/rbd_fixture.h"

namespace blockhaul::test {
namespace {

constexpr std::uint64_t kBlock = 4 * kKiB;

class RbdMapTest : public RbdTest {
 protected:
  std::vector<Extent> map_of(Volume& volume) {
    std::vector<Extent> all;
    for (std::uint64_t position = 0; position < volume.info().size;) {
      auto answer = volume.map(position, volume.info().size - position);
      if (!answer) {
        ADD_FAILURE() << answer.error().message;
        return {};
      }
      for (const Extent& extent : answer.value()) {
        EXPECT_EQ(extent.offset, position);
        append_extent(all, extent);
        position = extent.end();
      }
    }
    return all;
  }

  /// The bytes that a copy led by the map would read, zeros elsewhere.
  Bytes read_by_map(Volume& volume, const std::vector<Extent>& extents) {
    Bytes bytes(volume.info().size);
    for (const Extent& extent : extents) {
      if (extent.kind != ExtentKind::data) continue;
      EXPECT_EQ(
          io_.read(volume, extent.offset, std::span(bytes).subspan(extent.offset, extent.length)),
          0);
    }
    return bytes;
  }

  void expect_map_leads_to_all(const std::string& image, const std::string& snapshot = "") {
    auto volume = open_to_read(image, snapshot);
    ASSERT_NE(volume, nullptr);
    const Bytes by_map = read_by_map(*volume, map_of(*volume));
    EXPECT_TRUE(by_map == exported(snapshot.empty() ? image : image + "@" + snapshot))
        << image << "@" << snapshot;
  }
};

std::uint64_t data_in(const std::vector<Extent>& extents) {
  std::uint64_t bytes = 0;
  for (const Extent& extent : extents) bytes += extent.kind == ExtentKind::data ? extent.length : 0;
  return bytes;
}

TEST_F(RbdMapTest, NamesWhatWasWritten) {
  for (const bool fast_diff : {true, false}) {
    const std::string name = new_name();
    std::vector<std::string> features{"layering", "exclusive-lock"};
    if (fast_diff) features.insert(features.end(), {"object-map", "fast-diff"});
    auto volume = create(name, {.size = 10 * kGiB + 5, .order = 22, .features = features});
    ASSERT_NE(volume, nullptr);
    EXPECT_EQ(map_of(*volume), (std::vector<Extent>{{0, 10 * kGiB + 5, ExtentKind::hole}}));
    ASSERT_EQ(io_.write(*volume, 3 * kGiB, random_bytes(4 * kMiB, 1)), 0);
    ASSERT_EQ(io_.write(*volume, 10 * kGiB, random_bytes(5, 2)), 0);
    EXPECT_EQ(map_of(*volume),
              (std::vector<Extent>{{0, 3 * kGiB, ExtentKind::hole},
                                   {3 * kGiB, 4 * kMiB},
                                   {3 * kGiB + 4 * kMiB, 7 * kGiB - 4 * kMiB, ExtentKind::hole},
                                   {10 * kGiB, 5}}))
        << fast_diff;
  }
}

TEST_F(RbdMapTest, AnInvalidObjectMapIsNotBelieved) {
  const std::string name = new_name();
  auto volume = create(name, {.size = 64 * kMiB,
                              .features = std::vector<std::string>{"layering", "exclusive-lock",
                                                                   "object-map", "fast-diff"}});
  ASSERT_NE(volume, nullptr);
  ASSERT_EQ(io_.write(*volume, 20 * kMiB, random_bytes(kMiB, 3)), 0);
  volume.reset();
  // Enabled anew, the object map is flagged invalid until it is rebuilt.
  rbd("feature disable " + name + " object-map fast-diff");
  rbd("feature enable " + name + " object-map fast-diff");
  ASSERT_NE(rbd("info " + name).find("object map invalid"), std::string::npos);
  expect_map_leads_to_all(name);
  rbd("object-map rebuild " + name + " --no-progress");
  expect_map_leads_to_all(name);
}

TEST_F(RbdMapTest, TheAgeOfAnImageDoesNotMatter) {
  // Random writes, zeros, snapshots and a clone, in any order: the map of each must lead to all.
  const char* given = std::getenv("BLOCKHAUL_TEST_SEED");
  const unsigned seed =
      given == nullptr ? std::random_device{}() : static_cast<unsigned>(std::atoi(given));
  SCOPED_TRACE("BLOCKHAUL_TEST_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string parent = new_name();
  const std::uint64_t size = 24 * kMiB + 3 * kBlock + 7;
  std::vector<std::string> features{"layering", "exclusive-lock"};
  if (random() % 2 == 0) features.insert(features.end(), {"object-map", "fast-diff"});
  RbdCreateOptions layout{.size = size, .order = 20 + random() % 3, .features = features};
  if (random() % 3 == 0) {
    layout.stripe_unit = 64 * kKiB;
    layout.stripe_count = 2 + random() % 3;
  }
  auto volume = create(parent, layout);
  ASSERT_NE(volume, nullptr);
  std::vector<std::pair<std::string, std::string>> points;
  const auto change = [&](const std::string& image, unsigned snapshots) {
    for (unsigned snapshot = 0; snapshot <= snapshots; ++snapshot) {
      auto target = open_to_write(image);
      ASSERT_NE(target, nullptr);
      for (unsigned i = 0; i < 5; ++i) {
        const std::uint64_t offset = random() % size;
        const std::uint64_t length =
            std::min<std::uint64_t>(1 + random() % (3 * kMiB), size - offset);
        if (random() % 3 != 0) {
          ASSERT_EQ(io_.write(*target, offset, random_bytes(length, random())), 0);
        } else {
          ASSERT_EQ(io_.zero(*target, offset, length), 0);
        }
      }
      target.reset();
      if (snapshot == snapshots) break;
      const std::string name = "s" + std::to_string(snapshot);
      rbd("snap create " + image + "@" + name + " --no-progress");
      points.emplace_back(image, name);
    }
    points.emplace_back(image, "");
  };
  volume.reset();
  change(parent, 2);
  const std::string child = new_name();
  rbd("clone --rbd-default-clone-format 2 " + parent + "@s1 " + child);
  if (random() % 2 == 0) rbd("resize --allow-shrink --size 15M " + child + " --no-progress");
  if (random() % 2 == 0) rbd("resize --size 40M " + child + " --no-progress");
  points.emplace_back(child, "");
  expect_map_leads_to_all(child);
  if (open_to_read(child)->info().size >= size) change(child, 1);
  for (const auto& [image, snapshot] : points) expect_map_leads_to_all(image, snapshot);
}

TEST_F(RbdMapTest, AMostlyEmptyImageStaysSo) {
  const std::string name = new_name();
  auto volume = create(name, {.size = 64 * kGiB});
  ASSERT_NE(volume, nullptr);
  for (std::uint64_t i = 0; i < 64; ++i)
    ASSERT_EQ(io_.write(*volume, i * kGiB + 8 * kMiB, random_bytes(64 * kKiB, i)), 0);
  const std::vector<Extent> extents = map_of(*volume);
  EXPECT_EQ(data_in(extents), 64 * 4 * kMiB) << "an object each";
  EXPECT_EQ(extents.size(), 129U);
}

}  // namespace
}  // namespace blockhaul::test
