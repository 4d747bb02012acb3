#include "volume/posix_identity.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include <fstream>

#include "volume/unique_descriptor.h"

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

/// The loop driver gives a dev_t in the kernel's own layout.
dev_t from_kernel(std::uint64_t encoded) {
  const auto high = static_cast<unsigned>((encoded & 0xfff00) >> 8);
  const auto low = static_cast<unsigned>((encoded & 0xff) | ((encoded >> 12) & 0xfff00));
  return makedev(high, low);
}

std::string device_identity(dev_t device, int descriptor);

/// Opens a device by its number; not open where that is not allowed.
UniqueDescriptor open_device(dev_t device) {
  std::ifstream event("/sys/dev/block/" + number_of(device) + "/uevent");
  constexpr std::string_view kName = "DEVNAME=";
  for (std::string line; std::getline(event, line);) {
    if (!line.starts_with(kName)) continue;
    const std::string path = "/dev/" + line.substr(kName.size());
    UniqueDescriptor opened(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    struct stat status {};
    const bool right = opened && ::fstat(opened.get(), &status) == 0 && S_ISBLK(status.st_mode) &&
                       status.st_rdev == device;
    return right ? std::move(opened) : UniqueDescriptor();
  }
  return {};
}

std::string loop_identity(int descriptor) {
  loop_info64 loop{};
  if (::ioctl(descriptor, LOOP_GET_STATUS64, &loop) != 0) return {};
  std::string identity = file_identity(from_kernel(loop.lo_device), loop.lo_inode);
  if (loop.lo_rdevice != 0) {
    const dev_t backing = from_kernel(loop.lo_rdevice);
    identity = device_identity(backing, open_device(backing).get());
  }
  if (loop.lo_offset != 0) identity += "+" + std::to_string(loop.lo_offset);
  return identity;
}

std::string device_identity(dev_t device, int descriptor) {
  constexpr unsigned kLoopMajor = 7;
  const std::string system = "/sys/dev/block/" + number_of(device);
  const std::string partition = attribute(system + "/partition");
  if (major(device) == kLoopMajor && partition.empty()) {
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
  return "block:" + number_of(device);
}

}  // namespace

std::string posix_identity(int descriptor, const struct stat& status) {
  if (!S_ISBLK(status.st_mode)) return file_identity(status.st_dev, status.st_ino);
  return device_identity(status.st_rdev, descriptor);
}

}  // namespace blockhaul
