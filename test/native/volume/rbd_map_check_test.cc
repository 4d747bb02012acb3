#include "volume/rbd_map_check.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "core/units.h"
#include "volume/object_map.h"
#include "volume/rbd_fixture.h"

namespace blockhaul::test {
namespace {

const std::vector<std::string> kMapped{"layering", "exclusive-lock", "object-map", "fast-diff"};

/// Images whose object map was exchanged behind librbd's back for one that denies all that was
/// written since.
class RbdMapCheckTest : public RbdTest {
 protected:
  /// Makes an image, remembers its empty map, and writes to it.
  std::string make(RbdCreateOptions wanted) {
    const std::string name = new_name();
    wanted.features = kMapped;
    auto volume = create(name, std::move(wanted));
    if (volume == nullptr) return name;
    rados("-p rbd get " + map_of(name) + " '" + empty_map() + "'");
    EXPECT_EQ(io_.write(*volume, kPlace, content_), 0);
    EXPECT_EQ(io_.flush(*volume), 0);
    return name;
  }

  void deny_all(const std::string& name, const std::string& snapshot = "") {
    rados("-p rbd put " + map_of(name, snapshot) + " '" + empty_map() + "'");
  }

  Status check(const std::string& name, const std::string& snapshot, bool with_own) {
    RbdOpenOptions wanted = options(name);
    if (!snapshot.empty()) wanted.snapshot = snapshot;
    return check_object_maps(wanted, with_own);
  }

  /// Ceph tells how large an object is, and not where in it was written.
  void expect_wrong(const Status& found, std::uint64_t object, const std::string& says) {
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, "ERR_WRONG_MAP");
    EXPECT_EQ(found.error().offset, static_cast<std::int64_t>(object));
    EXPECT_NE(found.error().message.find(says), std::string::npos) << found.error().message;
  }

  Bytes read_at(const std::string& name, const std::string& snapshot = "") {
    auto volume = open_to_read(name, snapshot);
    Bytes bytes(content_.size());
    EXPECT_EQ(volume == nullptr ? EIO : io_.read(*volume, kPlace, std::span(bytes)), 0);
    return bytes;
  }

  static constexpr std::uint64_t kPlace = 9 * kMiB;
  const Bytes content_ = random_bytes(5 * kMiB, 1);

 private:
  std::string empty_map() const { return folder_.path("map"); }

  std::string map_of(const std::string& name, const std::string& snapshot = "") {
    auto volume = open_to_read(name, snapshot);
    if (volume == nullptr) return {};
    const std::string identity = volume->info().identity;
    const std::string last = identity.substr(identity.rfind('/') + 1);
    std::string map = "rbd_object_map." + last.substr(0, last.find('@'));
    if (snapshot.empty()) return map;
    std::array<char, 18> id{};
    std::snprintf(id.data(), id.size(), ".%016llx", std::stoull(last.substr(last.find('@') + 1)));
    return map + id.data();
  }

  TemporaryFolder folder_;
};

TEST_F(RbdMapCheckTest, FindsNothingWhereNothingIsWrong) {
  const std::string plain = make({.size = 64 * kMiB});
  rbd("snap create " + plain + "@s");
  EXPECT_TRUE(check(plain, "", true));
  EXPECT_TRUE(check(plain, "s", true));
  const std::string clone = shared_name(new_name());
  rbd("clone " + plain + "@s " + clone + " --rbd-default-clone-format 2");
  EXPECT_TRUE(check(clone, "", true));
  const std::string striped =
      make({.size = 61 * kMiB + 5, .stripe_unit = 64 * kKiB, .stripe_count = 3});
  EXPECT_TRUE(check(striped, "", true));
  const std::string cut = make({.size = 64 * kMiB});
  rbd("resize " + cut + " --size 10M --allow-shrink --no-progress");
  EXPECT_TRUE(check(cut, "", true));
}

TEST_F(RbdMapCheckTest, FindsWhatTheMapOfASnapshotDenies) {
  const std::string name = make({.size = 64 * kMiB});
  rbd("snap create " + name + "@s");
  EXPECT_EQ(read_at(name, "s"), content_);
  deny_all(name, "s");
  EXPECT_NE(read_at(name, "s"), content_) << "librbd reads past the map: the check is for nothing";
  expect_wrong(check(name, "s", true), 8 * kMiB, name + "@s");
}

TEST_F(RbdMapCheckTest, FindsItOfAnImageThatIsWrittenToAndNotOfOneThatIsRead) {
  const std::string name = make({.size = 64 * kMiB});
  deny_all(name);
  expect_wrong(check(name, "", true), 8 * kMiB, name);
  EXPECT_EQ(read_at(name), content_);
  EXPECT_TRUE(check(name, "", false));
}

TEST_F(RbdMapCheckTest, FindsItOfAParentInTheTrashToo) {
  const std::string parent = make({.size = 64 * kMiB});
  rbd("snap create " + parent + "@s");
  const std::string child = shared_name(new_name());
  rbd("clone " + parent + "@s " + child + " --rbd-default-clone-format 2");
  EXPECT_EQ(read_at(child), content_);
  deny_all(parent, "s");
  EXPECT_NE(read_at(child), content_);
  expect_wrong(check(child, "", false), 8 * kMiB, parent + "@s");
}

TEST_F(RbdMapCheckTest, CountsObjectsAsStripesAreLaid) {
  const std::string name = make({.size = 64 * kMiB, .stripe_unit = 64 * kKiB, .stripe_count = 3});
  deny_all(name);
  expect_wrong(check(name, "", true), 0, name);
  const RbdFacts facts{.object_size = 4 * kMiB, .stripe_unit = kMiB, .stripe_count = 3};
  EXPECT_EQ(object_at(facts, 0), 0U);
  EXPECT_EQ(object_at(facts, kMiB), 1U);
  EXPECT_EQ(object_at(facts, 3 * kMiB - 1), 2U);
  EXPECT_EQ(object_at(facts, 3 * kMiB), 0U);
  EXPECT_EQ(object_at(facts, 12 * kMiB + kMiB), 4U);
}

TEST(ObjectMapTest, KnowsWhatExists) {
  std::string answer("\x0e\0\0\0\x01\x01\x08\0\0\0\x05\0\0\0\0\0\0\0\x1b\x40", 20);
  auto map = ObjectMap::decode(answer + "sums");
  ASSERT_TRUE(map);
  EXPECT_EQ(map.value().size(), 5U);
  const std::array<bool, 6> expected{false, true, true, true, true, false};
  for (std::uint64_t i = 0; i < expected.size(); ++i) EXPECT_EQ(map.value().exists(i), expected[i]);
}

TEST(ObjectMapTest, TakesNothingThatItDoesNotKnow) {
  const std::string good("\x0e\0\0\0\x01\x01\x08\0\0\0\x05\0\0\0\0\0\0\0\x1b\x40", 20);
  for (std::size_t length = 0; length < good.size(); ++length)
    EXPECT_FALSE(ObjectMap::decode(good.substr(0, length))) << length;
  std::string huge = good;
  std::fill(huge.begin() + 10, huge.begin() + 18, '\xff');
  EXPECT_FALSE(ObjectMap::decode(huge));
  std::string other = good;
  other[0] = '\x0f';
  EXPECT_FALSE(ObjectMap::decode(other));
}

}  // namespace
}  // namespace blockhaul::test
