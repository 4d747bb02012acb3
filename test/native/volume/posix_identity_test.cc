// Which devices lie on one medium, by a sysfs of the test's own: SCSI disks, their partitions, and
// the multipath maps over them.

#include "volume/posix_identity.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <fstream>

#include "support/temporary.h"

namespace blockhaul::test {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kScsiMajor = 8;
constexpr unsigned kMapperMajor = 253;

class PosixIdentityTest : public testing::Test {
 protected:
  struct Disk {
    std::string wwid;
    std::string session{};  ///< "session1"; "": on a host without sessions
    std::string target{};   ///< the name of that session's
  };

  void write(const std::string& path, const std::string& content) const {
    fs::create_directories(fs::path(sysfs_ + path).parent_path());
    std::ofstream(sysfs_ + path) << content << "\n";
  }

  void link_number(unsigned major_number, unsigned minor_number, const std::string& folder) const {
    const std::string number = std::to_string(major_number) + ":" + std::to_string(minor_number);
    write(folder + "/dev", number);
    fs::create_directories(sysfs_ + "/dev/block");
    fs::create_symlink(sysfs_ + folder, sysfs_ + "/dev/block/" + number);
  }

  /// A disk sdX, 8:minor, with one partition at 8:minor + 1 that begins at sector 2048; its folder.
  std::string add_disk(unsigned minor_number, const std::string& name, const Disk& disk) const {
    const std::string host = "/devices/platform/host3/" + disk.session;
    const std::string device = host + "/target3:0:0/3:0:0:" + std::to_string(minor_number);
    const std::string folder = device + "/block/" + name;
    write(device + "/wwid", disk.wwid);
    link_number(kScsiMajor, minor_number, folder);
    fs::create_directory_symlink(sysfs_ + device, sysfs_ + folder + "/device");
    link_number(kScsiMajor, minor_number + 1, folder + "/" + name + "1");
    write(folder + "/" + name + "1/partition", "1");
    write(folder + "/" + name + "1/start", "2048");
    if (!disk.session.empty())
      write("/class/iscsi_session/" + disk.session + "/targetname", disk.target);
    return folder;
  }

  void add_map(unsigned minor_number, const std::string& uuid,
               const std::vector<std::string>& slaves) const {
    const std::string folder = "/devices/virtual/block/dm-" + std::to_string(minor_number);
    link_number(kMapperMajor, minor_number, folder);
    write(folder + "/dm/uuid", uuid);
    fs::create_directories(sysfs_ + folder + "/slaves");
    for (const std::string& slave : slaves) {
      const std::string name = fs::path(slave).filename();
      fs::create_directory_symlink(sysfs_ + slave, sysfs_ + folder + "/slaves/" + name);
    }
  }

  [[nodiscard]] std::string identity(unsigned major_number, unsigned minor_number) const {
    struct stat status {};
    status.st_mode = S_IFBLK;
    status.st_rdev = makedev(major_number, minor_number);
    return posix_place(-1, status, sysfs_).identity();
  }

  TemporaryFolder folder_;
  std::string sysfs_ = folder_.path("sys");
};

TEST_F(PosixIdentityTest, ADiskIsItsWwidAndAPartitionLiesOnIt) {
  add_disk(0, "sda", {.wwid = "naa.6001405aaaaaaaa", .session = "session1", .target = "iqn.a"});
  add_disk(16, "sdb", {.wwid = "naa.6001405bbbbbbbb", .session = "session1", .target = "iqn.a"});
  add_disk(32, "sdc", {.wwid = "naa.5000cccccccccccc"});
  add_disk(48, "sdd", {.wwid = ""});
  EXPECT_EQ(identity(kScsiMajor, 0), "wwid:naa.6001405aaaaaaaa");
  EXPECT_EQ(identity(kScsiMajor, 1), "wwid:naa.6001405aaaaaaaa+1048576");
  EXPECT_EQ(identity(kScsiMajor, 16), "wwid:naa.6001405bbbbbbbb");
  EXPECT_EQ(identity(kScsiMajor, 32), "wwid:naa.5000cccccccccccc");
  EXPECT_EQ(identity(kScsiMajor, 33), "wwid:naa.5000cccccccccccc+1048576");
  EXPECT_EQ(identity(kScsiMajor, 48), "block:8:48");
  EXPECT_EQ(identity(kScsiMajor, 49), "block:8:48+1048576");
}

TEST_F(PosixIdentityTest, AMultipathMapIsWhatItsLegsAre) {
  const Disk first{.wwid = "naa.6001405a", .session = "session1", .target = "iqn.a"};
  const Disk second{.wwid = "naa.6001405a", .session = "session2", .target = "iqn.b"};
  const std::string one = add_disk(0, "sda", first);
  const std::string other = add_disk(16, "sdb", second);
  add_map(0, "mpath-36001405a", {other, one});
  EXPECT_EQ(identity(kScsiMajor, 0), identity(kScsiMajor, 16));
  EXPECT_EQ(identity(kMapperMajor, 0), identity(kScsiMajor, 0));
}

TEST_F(PosixIdentityTest, AnyOtherMapIsItsOwn) {
  const std::string disk = add_disk(0, "sda", {.wwid = "naa.6001405a"});
  add_map(0, "mpath-36001405a", {});
  add_map(1, "LVM-abc", {disk});
  add_map(2, "part1-mpath-36001405a", {disk});
  EXPECT_EQ(identity(kMapperMajor, 0), "dm:mpath-36001405a") << "a map without a leg";
  EXPECT_EQ(identity(kMapperMajor, 1), "dm:LVM-abc");
  EXPECT_EQ(identity(kMapperMajor, 2), "dm:part1-mpath-36001405a");
}

// The first LUN of the first target of every tgt says the same of itself.
TEST_F(PosixIdentityTest, DisksOfTwoTgtsAreTwo) {
  unsigned number = 0;
  for (const char* wwid :
       {"t10.IET     00010001", "naa.60000000000000000e00000000010001", "naa.3000000100000001"}) {
    SCOPED_TRACE(wwid);
    const unsigned first = number * 64;
    const std::string suffix(1, static_cast<char>('a' + number));
    const std::string session = "session" + std::to_string(++number);
    // The padding is tgt's.
    const std::string padded = std::string(wwid) + "            ";
    const std::string one =
        add_disk(first, "sda" + suffix, {padded, session + "1", "iqn.2026-01.test:one"});
    add_disk(first + 16, "sdb" + suffix, {padded, session + "2", "iqn.2026-01.test:two"});
    add_disk(first + 32, "sdc" + suffix, {padded, session + "3", "iqn.2026-01.test:one"});
    add_map(number, std::string("mpath-") + wwid, {one});
    const std::string expected = std::string("wwid:") + wwid + "@iqn.2026-01.test:one";
    EXPECT_EQ(identity(kScsiMajor, first), expected);
    EXPECT_EQ(identity(kScsiMajor, first + 1), expected + "+1048576");
    EXPECT_EQ(identity(kScsiMajor, first + 16),
              std::string("wwid:") + wwid + "@iqn.2026-01.test:two");
    EXPECT_EQ(identity(kScsiMajor, first + 32), expected) << "another path to the same target";
    EXPECT_EQ(identity(kMapperMajor, number), expected);
  }
  add_disk(240, "sdz", {.wwid = "t10.IET     00010001"});
  EXPECT_EQ(identity(kScsiMajor, 240), "wwid:t10.IET     00010001") << "no session is known";
}

}  // namespace
}  // namespace blockhaul::test
