#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/unique_descriptor.h"

namespace blockhaul::test {

/// Whether this process may make loop devices and mounts; if not, why.
std::optional<std::string> why_no_loop_devices();

struct LoopOptions {
  std::uint32_t sector_size = 512;
  std::uint64_t offset = 0;  ///< bytes of the backing file that are left out
  bool read_only = false;
};

/// A file as a block device. It detaches itself with the last descriptor, so that not even a test
/// that is killed leaves one behind.
class LoopDevice {
 public:
  /// Throws where the kernel refuses.
  explicit LoopDevice(const std::string& file, const LoopOptions& options = {});

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  UniqueDescriptor device_;
  std::string path_;
};

/// A file system of a test's own that no namespace knows of: it goes with this object.
class DetachedMount {
 public:
  using Option = std::pair<const char*, const char*>;

  /// `options` as mount(8) has them; the device is one of them, "source". Throws where the kernel
  /// refuses.
  explicit DetachedMount(const char* type, const std::vector<Option>& options = {});

  /// Of something inside.
  [[nodiscard]] std::string path(const std::string& name) const {
    return "/proc/self/fd/" + std::to_string(root_.get()) + "/" + name;
  }

 private:
  UniqueDescriptor root_;
};

}  // namespace blockhaul::test
