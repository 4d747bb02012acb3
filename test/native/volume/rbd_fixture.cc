#include "volume/rbd_fixture.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>

namespace blockhaul::test {
std::size_t count_threads() {
  const std::filesystem::directory_iterator begin("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin, std::filesystem::directory_iterator()));
}

void RbdTest::SetUp() {
  const char* conf = std::getenv("BLOCKHAUL_TEST_CEPH_CONF");
  if (conf == nullptr) {
    GTEST_SKIP()
        << "BLOCKHAUL_TEST_CEPH_CONF names no cluster: node test/support/ceph.mjs up DIR makes one";
  }
  conf_ = conf;
}

void RbdTest::TearDown() {
  for (const std::string& name : names_) {
    if (rbd("snap ls " + name).empty()) {
      rbd("rm " + name + " --no-progress");
    } else {
      rbd("snap purge " + name + " --no-progress");
      rbd("rm " + name + " --no-progress");
    }
  }
}

std::string RbdTest::new_name() {
  static std::atomic<unsigned> number{0};
  return shared_name("native-" + std::to_string(::getpid()) + "-" + std::to_string(++number));
}

std::string RbdTest::shared_name(const std::string& name) {
  // The last one first: clones go before their parents.
  names_.insert(names_.begin(), name);
  return name;
}

RbdOpenOptions RbdTest::options(const std::string& image) const {
  RbdOpenOptions wanted;
  wanted.connection.conf = conf_;
  wanted.pool = "rbd";
  wanted.image = image;
  return wanted;
}

std::unique_ptr<RbdVolume> RbdTest::open(const RbdOpenOptions& wanted) {
  auto opened = RbdVolume::open(wanted);
  if (!opened) {
    ADD_FAILURE() << wanted.path() << ": " << opened.error().message;
    return nullptr;
  }
  return std::move(opened.value());
}

std::unique_ptr<RbdVolume> RbdTest::create(const std::string& image, RbdCreateOptions wanted) {
  RbdOpenOptions all = options(image);
  all.writable = true;
  all.create = std::move(wanted);
  return open(all);
}

std::unique_ptr<RbdVolume> RbdTest::open_to_read(const std::string& image,
                                                 const std::string& snapshot) {
  RbdOpenOptions wanted = options(image);
  if (!snapshot.empty()) wanted.snapshot = snapshot;
  return open(wanted);
}

std::unique_ptr<RbdVolume> RbdTest::open_to_write(const std::string& image) {
  RbdOpenOptions wanted = options(image);
  wanted.writable = true;
  return open(wanted);
}

std::string RbdTest::tool(const std::string& name, const std::string& arguments) const {
  const std::string command = name + " -c '" + conf_ + "' " + arguments + " 2>/dev/null";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return {};
  std::string output;
  std::array<char, 4096> part{};
  while (const std::size_t count = std::fread(part.data(), 1, part.size(), pipe))
    output.append(part.data(), count);
  ::pclose(pipe);
  return output;
}

Bytes RbdTest::exported(const std::string& spec) const {
  const TemporaryFolder folder;
  rbd("export " + spec + " '" + folder.path("export") + "' --no-progress");
  return read_file(folder.path("export"));
}

}  // namespace blockhaul::test
