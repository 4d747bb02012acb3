#include "support/block_storage.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <linux/mount.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <system_error>

namespace blockhaul::test {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

std::optional<std::string> why_no_loop_devices() {
  if (::geteuid() != 0) return "only root makes loop devices";
  const UniqueDescriptor control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control) return "no /dev/loop-control";
  return std::nullopt;
}

LoopDevice::LoopDevice(const std::string& file, const LoopOptions& options) {
  const UniqueDescriptor control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control) fail("/dev/loop-control");
  const int access = options.read_only ? O_RDONLY : O_RDWR;
  const UniqueDescriptor backing(::open(file.c_str(), access | O_CLOEXEC));
  if (!backing) fail(file);
  loop_config config{};
  config.fd = static_cast<__u32>(backing.get());
  config.block_size = options.sector_size;
  config.info.lo_offset = options.offset;
  config.info.lo_flags =
      LO_FLAGS_AUTOCLEAR | (options.read_only ? static_cast<__u32>(LO_FLAGS_READ_ONLY) : 0U);
  // Between its number and its configuration, somebody else may take a device.
  for (int attempt = 0; attempt < 100; ++attempt) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) fail("LOOP_CTL_GET_FREE");
    path_ = "/dev/loop" + std::to_string(number);
    device_ = UniqueDescriptor(::open(path_.c_str(), access | O_CLOEXEC));
    if (device_ && ::ioctl(device_.get(), LOOP_CONFIGURE, &config) == 0) return;
    if (errno != EBUSY && errno != ENXIO && errno != ENOENT) fail(path_);
  }
  fail("no free loop device");
}

DetachedMount::DetachedMount(const char* type, const std::vector<Option>& options) {
  const UniqueDescriptor context(static_cast<int>(::syscall(SYS_fsopen, type, FSOPEN_CLOEXEC)));
  if (!context) fail(std::string("fsopen ") + type);
  for (const auto& [name, value] : options) {
    if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, name, value, 0) != 0)
      fail(std::string("fsconfig ") + name);
  }
  if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    fail(std::string("fsconfig ") + type);
  root_ =
      UniqueDescriptor(static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
  if (!root_) fail(std::string("fsmount ") + type);
}

}  // namespace blockhaul::test
