#include "volume/posix_identity.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include "io/unique_descriptor.h"

namespace blockhaul {
namespace {

namespace fs = std::filesystem;

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

/// "8:16"; nothing of a text that is none.
std::optional<dev_t> parse_device(const std::string& text) {
  unsigned major_number = 0;
  unsigned minor_number = 0;
  if (std::sscanf(text.c_str(), "%u:%u", &major_number, &minor_number) != 2) return std::nullopt;
  return makedev(major_number, minor_number);
}

/// Whether another target may give another disk the same WWID. tgt makes up its own of the numbers
/// of target and LUN, which begin at 1 on every host: T10's kind, NAA's with an OUI of zeros, and
/// NAA's kind that is locally assigned by its very definition.
bool is_local(std::string_view wwid) {
  return wwid.starts_with("t10.IET ") || wwid.starts_with("naa.60000000000000000e") ||
         wwid.starts_with("naa.3");
}

/// Follows devices down to what they lie on, by what sysfs and the loop driver say.
class Descent {
 public:
  explicit Descent(std::string sysfs) : sysfs_(std::move(sysfs)) {}

  [[nodiscard]] PosixPlace device(dev_t device, int descriptor) const;

 private:
  [[nodiscard]] std::string folder(dev_t device) const {
    return sysfs_ + "/dev/block/" + number_of(device);
  }
  [[nodiscard]] UniqueDescriptor open(dev_t device) const;
  [[nodiscard]] PosixPlace device(dev_t found) const { return device(found, open(found).get()); }
  [[nodiscard]] std::optional<PosixPlace> loop(int descriptor) const;
  [[nodiscard]] std::optional<PosixPlace> partition(const std::string& system) const;
  [[nodiscard]] std::optional<PosixPlace> mapped(const std::string& system) const;
  [[nodiscard]] std::string target_of(const std::string& system) const;

  std::string sysfs_;
};

/// Opens a device by its number; not open where that is not allowed.
UniqueDescriptor Descent::open(dev_t device) const {
  std::ifstream event(folder(device) + "/uevent");
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
std::optional<PosixPlace> Descent::loop(int descriptor) const {
  loop_info64 loop{};
  if (::ioctl(descriptor, LOOP_GET_STATUS64, &loop) != 0) return std::nullopt;
  PosixPlace place{.medium = file_medium(from_kernel(loop.lo_device), loop.lo_inode)};
  if (loop.lo_rdevice != 0) place = device(from_kernel(loop.lo_rdevice));
  place.offset += loop.lo_offset;
  return place;
}

/// Nothing where the device is no partition.
std::optional<PosixPlace> Descent::partition(const std::string& system) const {
  constexpr std::uint64_t kSector = 512;  // whatever the device's own is
  // A partition's own folder stands inside its disk's.
  const std::optional<dev_t> disk = parse_device(attribute(system + "/../dev"));
  const std::string start = attribute(system + "/start");
  if (attribute(system + "/partition").empty() || !disk || start.empty()) return std::nullopt;
  PosixPlace place = device(*disk);
  place.offset += std::stoull(start) * kSector;
  return place;
}

/// Nothing where the device is not device-mapper's. A multipath map is another way to the disk that
/// each of its legs leads to.
std::optional<PosixPlace> Descent::mapped(const std::string& system) const {
  const std::string uuid = attribute(system + "/dm/uuid");
  if (uuid.empty()) return std::nullopt;
  if (uuid.starts_with("mpath-")) {
    std::vector<std::string> legs;
    std::error_code failed;  // legs come and go while we look
    fs::directory_iterator leg(system + "/slaves", failed);
    for (; leg != fs::directory_iterator(); leg.increment(failed)) legs.push_back(leg->path());
    std::sort(legs.begin(), legs.end());
    for (const std::string& leg : legs) {
      if (const auto found = parse_device(attribute(leg + "/dev"))) return device(*found);
    }
  }
  return PosixPlace{.medium = "dm:" + uuid};
}

/// The name of the iSCSI target that a disk is reached through, or "". The disk's real folder is
/// …/hostH/sessionS/targetH:C:T/H:C:T:L/block/sdX.
std::string Descent::target_of(const std::string& system) const {
  std::error_code failed;
  for (const fs::path& part : fs::canonical(system, failed)) {
    if (!part.native().starts_with("session")) continue;
    std::string name = attribute(sysfs_ + "/class/iscsi_session/" + part.native() + "/targetname");
    if (!name.empty()) return name;
  }
  return {};
}

PosixPlace Descent::device(dev_t device, int descriptor) const {
  constexpr unsigned kLoopMajor = 7;
  const std::string system = folder(device);
  if (auto place = partition(system)) return *place;
  if (major(device) == kLoopMajor) {
    if (auto place = loop(descriptor)) return *place;
  }
  if (auto place = mapped(system)) return *place;
  for (const char* name : {"/wwid", "/device/wwid"}) {
    const std::string wwid = attribute(system + name);
    if (wwid.empty()) continue;
    const std::string target = is_local(wwid) ? target_of(system) : "";
    return {.medium = "wwid:" + wwid + (target.empty() ? "" : "@" + target)};
  }
  return {.medium = "block:" + number_of(device)};
}

}  // namespace

std::string PosixPlace::identity() const {
  return offset == 0 ? medium : medium + "+" + std::to_string(offset);
}

PosixPlace posix_place(int descriptor, const struct stat& status, const std::string& sysfs) {
  if (!S_ISBLK(status.st_mode)) return {.medium = file_medium(status.st_dev, status.st_ino)};
  return Descent(sysfs).device(status.st_rdev, descriptor);
}

}  // namespace blockhaul
