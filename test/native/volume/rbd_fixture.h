#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/content.h"
#include "support/temporary.h"
#include "support/volume_io.h"
#include "volume/rbd_volume.h"

namespace blockhaul::test {

/// Threads of this process.
std::size_t count_threads();

/// Tests on a real cluster, whose ceph.conf BLOCKHAUL_TEST_CEPH_CONF names; it has a pool "rbd".
class RbdTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// A fresh name, whose image is removed at the test's end, with its snapshots.
  std::string new_name();
  /// A name that is removed likewise, but is the same in every process.
  std::string shared_name(const std::string& name);
  /// Options for an image in pool "rbd".
  [[nodiscard]] RbdOpenOptions options(const std::string& image) const;
  std::unique_ptr<RbdVolume> open(const RbdOpenOptions& wanted);
  std::unique_ptr<RbdVolume> create(const std::string& image, RbdCreateOptions wanted);
  std::unique_ptr<RbdVolume> open_to_read(const std::string& image,
                                          const std::string& snapshot = "");
  std::unique_ptr<RbdVolume> open_to_write(const std::string& image);

  /// Runs Ceph's own tools, which share no code with this engine; gives what they print.
  std::string ceph(const std::string& arguments) const { return tool("ceph", arguments); }
  std::string rbd(const std::string& arguments) const { return tool("rbd", arguments); }
  std::string rados(const std::string& arguments) const { return tool("rados", arguments); }
  /// What `rbd export` says the image holds.
  [[nodiscard]] Bytes exported(const std::string& spec) const;

  std::string conf_;
  VolumeIo io_;

 private:
  [[nodiscard]] std::string tool(const std::string& name, const std::string& arguments) const;
  std::vector<std::string> names_;
};

}  // namespace blockhaul::test
