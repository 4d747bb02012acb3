#include "volume/posix_identity.h"

#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include <fstream>

namespace blockhaul {
namespace {

std::string number_of(dev_t device) {
  return std::to_string(major(device)) + ":" + std::to_string(minor(device));
}

std::string file_identity(dev_t device, ino_t inode) {
  return "file:" + number_of(device) + ":" + std::to_string(inode);
}

/// The first line of a sysfs attribute; "" where it is absent or empty.
std::string attribute(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\n')) line.pop_back();
  return line;
}

/// sysfs writes a backing file as dev_t of the kernel's own layout.
dev_t from_kernel(std::uint64_t encoded) {
  const auto high = static_cast<unsigned>((encoded & 0xfff00) >> 8);
  const auto low = static_cast<unsigned>((encoded & 0xff) | ((encoded >> 12) & 0xfff00));
  return makedev(high, low);
}

std::string loop_identity(int descriptor) {
  loop_info64 loop{};
  if (::ioctl(descriptor, LOOP_GET_STATUS64, &loop) != 0) return {};
  std::string identity = file_identity(from_kernel(loop.lo_device), loop.lo_inode);
  if (loop.lo_offset != 0) identity += "+" + std::to_string(loop.lo_offset);
  return identity;
}

}  // namespace

std::string posix_identity(int descriptor, const struct stat& status) {
  if (!S_ISBLK(status.st_mode)) return file_identity(status.st_dev, status.st_ino);

  constexpr unsigned kLoopMajor = 7;
  const std::string system = "/sys/dev/block/" + number_of(status.st_rdev);
  const std::string partition = attribute(system + "/partition");
  if (major(status.st_rdev) == kLoopMajor && partition.empty()) {
    const std::string identity = loop_identity(descriptor);
    if (!identity.empty()) return identity;
  }
  if (const std::string uuid = attribute(system + "/dm/uuid"); !uuid.empty()) return "dm:" + uuid;

  // A partition's own folder stands inside its disk's.
  const std::string disk = partition.empty() ? system : system + "/..";
  const std::string suffix = partition.empty() ? "" : ":partition-" + partition;
  for (const char* name : {"/wwid", "/device/wwid"}) {
    if (const std::string wwid = attribute(disk + name); !wwid.empty())
      return "wwid:" + wwid + suffix;
  }
  return "block:" + number_of(status.st_rdev);
}

}  // namespace blockhaul
