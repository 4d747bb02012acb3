#include "volume/posix_identity.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include <fstream>
#include <optional>

#include "io/unique_descriptor.h"

namespace blockhaul {
namespace {

std::string number_of(dev_t device) {
  return std::to_string(major(device)) + ":" + std::to_string(minor(device));
}

std::string file_medium(dev_t device, ino_t inode) {
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

PosixPlace device_place(dev_t device, int descriptor);

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

/// Nothing where the device is no loop device, or has nothing behind it.
std::optional<PosixPlace> loop_place(int descriptor) {
  loop_info64 loop{};
  if (::ioctl(descriptor, LOOP_GET_STATUS64, &loop) != 0) return std::nullopt;
  PosixPlace place{.medium = file_medium(from_kernel(loop.lo_device), loop.lo_inode)};
  if (loop.lo_rdevice != 0) {
    const dev_t backing = from_kernel(loop.lo_rdevice);
    place = device_place(backing, open_device(backing).get());
  }
  place.offset += loop.lo_offset;
  return place;
}

/// Nothing where the device is no partition.
std::optional<PosixPlace> partition_place(const std::string& system) {
  constexpr std::uint64_t kSector = 512;  // whatever the device's own is
  // A partition's own folder stands inside its disk's.
  const std::string disk = attribute(system + "/../dev");
  const std::string start = attribute(system + "/start");
  const std::size_t colon = disk.find(':');
  if (attribute(system + "/partition").empty() || colon == std::string::npos || start.empty()) {
    return std::nullopt;
  }
  const dev_t device = makedev(std::stoul(disk), std::stoul(disk.substr(colon + 1)));
  PosixPlace place = device_place(device, open_device(device).get());
  place.offset += std::stoull(start) * kSector;
  return place;
}

PosixPlace device_place(dev_t device, int descriptor) {
  constexpr unsigned kLoopMajor = 7;
  const std::string system = "/sys/dev/block/" + number_of(device);
  if (auto place = partition_place(system)) return *place;
  if (major(device) == kLoopMajor) {
    if (auto place = loop_place(descriptor)) return *place;
  }
  if (const std::string uuid = attribute(system + "/dm/uuid"); !uuid.empty()) {
    return {.medium = "dm:" + uuid};
  }
  for (const char* name : {"/wwid", "/device/wwid"}) {
    const std::string wwid = attribute(system + name);
    if (!wwid.empty()) return {.medium = "wwid:" + wwid};
  }
  return {.medium = "block:" + number_of(device)};
}

}  // namespace

std::string PosixPlace::identity() const {
  return offset == 0 ? medium : medium + "+" + std::to_string(offset);
}

PosixPlace posix_place(int descriptor, const struct stat& status) {
  if (!S_ISBLK(status.st_mode)) return {.medium = file_medium(status.st_dev, status.st_ino)};
  return device_place(status.st_rdev, descriptor);
}

}  // namespace blockhaul
