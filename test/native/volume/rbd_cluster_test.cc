#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/units.h"
#include "volume/rados_cluster.h"
#include "volume/rbd_fixture.h"

namespace blockhaul::test {
namespace {

using std::chrono::steady_clock;

class RbdClusterTest : public RbdTest {
 protected:
  Error failure(const RbdOpenOptions& wanted) {
    auto opened = RbdVolume::open(wanted);
    if (opened) {
      ADD_FAILURE() << wanted.path() << " was opened";
      return Error{.number = 0, .message = {}};
    }
    return opened.error();
  }

  std::shared_ptr<RadosCluster> connect(const CephConnection& connection) {
    auto librbd = Librbd::load();
    if (!librbd) return nullptr;
    auto cluster = RadosCluster::connect(*librbd.value(), connection);
    return cluster ? cluster.value() : nullptr;
  }
};

/// A port on loopback where connections are taken and never answered.
class SilentServer {
 public:
  SilentServer() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    ::bind(socket_, reinterpret_cast<sockaddr*>(&address), length);
    ::listen(socket_, 100);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }
  ~SilentServer() { ::close(socket_); }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  int socket_;
  unsigned port_ = 0;
};

/// Nothing listens there.
std::string closed_address() { return SilentServer().address(); }

RbdOpenOptions without_cluster(const std::string& monitor) {
  RbdOpenOptions wanted;
  wanted.connection.conf = "/dev/null";
  wanted.connection.overrides = {{"mon_host", monitor},
                                 {"client_mount_timeout", "2"},
                                 {"key", "AQBSdFhcGsAiEhAAyuFtCkOQ3CaUUBYlHNsXSQ=="}};
  wanted.pool = "rbd";
  wanted.image = "any";
  return wanted;
}

TEST_F(RbdClusterTest, OpensShareAConnection) {
  const CephConnection connection = options("any").connection;
  const auto first = connect(connection);
  const auto second = connect(connection);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first, second);
  CephConnection other = connection;
  other.overrides["rados_osd_op_timeout"] = "60";
  EXPECT_NE(connect(other), first);
  first->abandon();
  EXPECT_NE(connect(connection), first);
}

// What docs/ERRORS.md promises where nobody set a deadline. Ceph's own default is five minutes.
TEST_F(RbdClusterTest, APatienceThatNobodySetIsHalfAMinute) {
  const auto cluster = connect(options("any").connection);
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(cluster->patience(), std::chrono::seconds(30));
}

TEST_F(RbdClusterTest, OpensAtTheSameTimeConnectOnce) {
  const CephConnection connection = options("any").connection;
  std::array<std::shared_ptr<RadosCluster>, 8> clusters;
  std::vector<std::thread> threads;
  threads.reserve(clusters.size());
  for (auto& cluster : clusters) threads.emplace_back([&] { cluster = connect(connection); });
  for (std::thread& thread : threads) thread.join();
  ASSERT_NE(clusters[0], nullptr);
  for (const auto& cluster : clusters) EXPECT_EQ(cluster, clusters[0]);
}

TEST_F(RbdClusterTest, AConnectionEndsWithItsLastVolume) {
  const std::string name = new_name();
  ASSERT_NE(create(name, {.size = kMiB}), nullptr);
  const std::size_t descriptors = open_descriptors();
  const std::size_t threads = count_threads();
  for (int i = 0; i < 200; ++i) {
    auto volume = open_to_write(name);
    ASSERT_NE(volume, nullptr);
    ASSERT_EQ(io_.write(*volume, 0, random_bytes(16, 1)), 0);
  }
  EXPECT_LE(open_descriptors(), descriptors);
  EXPECT_LE(count_threads(), threads);
}

TEST_F(RbdClusterTest, ManyVolumesOpenAndCloseAtOnce) {
  const std::string name = new_name();
  ASSERT_NE(create(name, {.size = kMiB}), nullptr);
  const std::size_t descriptors = open_descriptors();
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) EXPECT_NE(open_to_read(name), nullptr);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(open_descriptors(), descriptors);
}

TEST_F(RbdClusterTest, SaysWhatDoesNotExist) {
  const std::string name = new_name();
  ASSERT_NE(create(name, {.size = kMiB}), nullptr);

  RbdOpenOptions wanted = options(name);
  wanted.pool = "no-such-pool";
  EXPECT_EQ(failure(wanted).message, "pool \"no-such-pool\" does not exist");
  EXPECT_EQ(failure(wanted).number, ENOENT);

  EXPECT_EQ(failure(options("no-such-image")).message, "image \"no-such-image\" does not exist");

  wanted = options(name);
  wanted.snapshot = "never";
  EXPECT_EQ(failure(wanted).message, "snapshot \"never\" does not exist");
  EXPECT_EQ(failure(wanted).number, ENOENT);
  wanted.image = "no-such-image";
  EXPECT_EQ(failure(wanted).message, "image \"no-such-image\" does not exist");

  wanted = options(name);
  wanted.name_space = "nowhere";
  EXPECT_EQ(failure(wanted).message, "namespace \"nowhere\" of pool \"rbd\" does not exist");
  wanted.create = RbdCreateOptions{.size = kMiB};
  wanted.writable = true;
  EXPECT_EQ(failure(wanted).message, "namespace \"nowhere\" of pool \"rbd\" does not exist");
}

TEST_F(RbdClusterTest, NamespacesKeepImagesApart) {
  rbd("namespace create rbd/native-tests");
  RbdOpenOptions wanted = options("apart");
  wanted.name_space = "native-tests";
  wanted.writable = true;
  wanted.create = RbdCreateOptions{.size = kMiB};
  auto volume = open(wanted);
  ASSERT_NE(volume, nullptr);
  EXPECT_EQ(volume->info().name, "rbd:rbd/native-tests/apart");
  EXPECT_NE(volume->info().identity.find("/native-tests/"), std::string::npos);
  ASSERT_EQ(io_.write(*volume, 5, random_bytes(100, 2)), 0);
  volume.reset();
  EXPECT_EQ(failure(options("apart")).number, ENOENT);
  EXPECT_EQ(exported("rbd/native-tests/apart").size(), kMiB);
  rbd("rm rbd/native-tests/apart --no-progress");
  rbd("namespace remove rbd/native-tests");
}

TEST_F(RbdClusterTest, CreatesAsItIsTold) {
  const std::string name = new_name();
  ceph("osd pool create native-data 8");
  auto volume = create(name, {.size = 10 * kMiB,
                              .order = 23,
                              .features = std::vector<std::string>{"layering", "exclusive-lock"},
                              .data_pool = "native-data"});
  ASSERT_NE(volume, nullptr);
  EXPECT_EQ(volume->info().preferred_size, 8 * kMiB);
  const std::string info = rbd("info " + name + " --format json");
  EXPECT_NE(info.find("\"order\":23"), std::string::npos) << info;
  EXPECT_NE(info.find("[\"layering\",\"exclusive-lock\",\"data-pool\"]"), std::string::npos)
      << info;
  EXPECT_NE(info.find("\"data_pool\":\"native-data\""), std::string::npos) << info;
}

TEST_F(RbdClusterTest, RefusesWhatCannotBeCreated) {
  const std::string name = new_name();
  ASSERT_NE(create(name, {.size = kMiB}), nullptr);
  const auto with = [&](const std::string& image, RbdCreateOptions wanted) {
    RbdOpenOptions all = options(image);
    all.writable = true;
    all.create = std::move(wanted);
    return failure(all);
  };
  const Error exists = with(name, {.size = kMiB});
  EXPECT_EQ(exists.number, EEXIST);
  EXPECT_EQ(exists.message, "image \"" + name + "\" exists already");
  ASSERT_NE(open_to_read(name), nullptr) << "the image that was there is still there";

  const std::string fresh = new_name();
  EXPECT_EQ(with(fresh, {.size = kMiB, .order = 26}).number, EINVAL);
  EXPECT_EQ(with(fresh, {.size = kMiB, .features = std::vector<std::string>{"fast"}}).message,
            "\"fast\" is no RBD feature");
  EXPECT_EQ(with(fresh, {.size = kMiB, .features = std::vector<std::string>{"object-map"}}).number,
            EINVAL);
  EXPECT_EQ(with(fresh, {.size = kMiB, .data_pool = "no-such-pool"}).message,
            "data pool \"no-such-pool\" does not exist");
  EXPECT_EQ(with(fresh, {.size = kMiB, .stripe_unit = 3, .stripe_count = 2}).number, EINVAL);
  EXPECT_EQ(failure(options(fresh)).number, ENOENT);

  RbdOpenOptions snapshot = options(name);
  snapshot.snapshot = "s";
  snapshot.writable = true;
  EXPECT_EQ(failure(snapshot).number, EROFS);
}

TEST_F(RbdClusterTest, AWrongKeyIsToldFromAMissingOne) {
  RbdOpenOptions wanted = options("any");
  const std::string secret = "AQBSdFhcGsAiEhAAyuFtCkOQ3CaUUBYlHNsXSQ==";
  wanted.connection.overrides["key"] = secret;
  Error error = failure(wanted);
  EXPECT_EQ(error.code, "ERR_AUTHENTICATION");
  EXPECT_EQ(error.message, "the cluster refuses client.admin: a wrong key, or no such user");

  wanted = options("any");
  wanted.connection.overrides["keyring"] = "/nonexistent/keyring";
  error = failure(wanted);
  EXPECT_EQ(error.code, "ERR_AUTHENTICATION");
  EXPECT_EQ(error.message, "there is no keyring for client.admin at /nonexistent/keyring");

  wanted = options("any");
  wanted.connection.name = "client.nobody";
  error = failure(wanted);
  EXPECT_EQ(error.code, "ERR_AUTHENTICATION");
  EXPECT_NE(error.message.find("has no key for client.nobody"), std::string::npos) << error.message;

  wanted = options("any");
  wanted.connection.overrides["auth_client_required"] = secret;
  wanted.connection.overrides["rbd_cache"] = secret;
  EXPECT_EQ(failure(wanted).message.find(secret), std::string::npos);
}

TEST_F(RbdClusterTest, AUserWithoutRightsIsToldSo) {
  ceph("auth get-or-create client.blind mon 'allow r'");
  std::string key = ceph("auth get-key client.blind");
  RbdOpenOptions wanted = options("any");
  wanted.connection.name = "client.blind";
  wanted.connection.overrides["key"] = key;
  const Error error = failure(wanted);
  EXPECT_EQ(error.number, EPERM);
  EXPECT_EQ(error.message.find("client.blind may not "), 0U) << error.message;
  ceph("auth rm client.blind");
}

TEST_F(RbdClusterTest, TheEnvironmentIsHonoured) {
  const std::string name = new_name();
  ASSERT_NE(create(name, {.size = kMiB}), nullptr);
  RbdOpenOptions wanted = options(name);
  wanted.connection.conf.reset();
  ::setenv("CEPH_CONF", conf_.c_str(), 1);
  EXPECT_NE(open(wanted), nullptr);
  ::setenv("CEPH_CONF", "/nonexistent/ceph.conf", 1);
  EXPECT_EQ(failure(wanted).message,
            "the Ceph configuration /nonexistent/ceph.conf: No such file or directory");
  ::unsetenv("CEPH_CONF");
  wanted.connection.conf = conf_;
  ::setenv("CEPH_ARGS", "--keyring=/nonexistent/from-args", 1);
  EXPECT_EQ(failure(wanted).message,
            "there is no keyring for client.admin at /nonexistent/from-args");
  ::unsetenv("CEPH_ARGS");
  EXPECT_NE(open(wanted), nullptr);
}

TEST_F(RbdClusterTest, ABadConfigurationIsToldByName) {
  RbdOpenOptions wanted = options("any");
  wanted.connection.overrides["no_such_option"] = "1";
  EXPECT_EQ(failure(wanted).message, "Ceph has no option \"no_such_option\"");
  wanted = options("any");
  wanted.connection.overrides["client_mount_timeout"] = "soon";
  EXPECT_EQ(failure(wanted).message,
            "Ceph refuses the value given for its option client_mount_timeout");
  wanted = options("any");
  wanted.connection.conf = "/nonexistent/ceph.conf";
  EXPECT_EQ(failure(wanted).message,
            "the Ceph configuration /nonexistent/ceph.conf: No such file or directory");
  if (!std::filesystem::exists("/etc/ceph/ceph.conf")) {
    wanted.connection.conf.reset();
    EXPECT_EQ(failure(wanted).message,
              "no Ceph configuration was found: say where it is, or give a mon_host");
  }
  wanted = options("any");
  wanted.connection.name = "admin";
  EXPECT_EQ(failure(wanted).message, "\"admin\" is no Ceph user: say client.NAME");
}

class UnreachableClusterTest : public testing::Test {
 protected:
  static void expect_unreachable(const std::string& monitor) {
    const auto begin = steady_clock::now();
    auto opened = RbdVolume::open(without_cluster(monitor));
    const auto taken = steady_clock::now() - begin;
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, "ERR_UNREACHABLE") << opened.error().message;
    EXPECT_EQ(opened.error().message, "no monitor of " + monitor + " answered within 2 s");
    EXPECT_LT(taken, std::chrono::seconds(5));
  }
};

TEST_F(UnreachableClusterTest, NobodyListens) { expect_unreachable(closed_address()); }

TEST_F(UnreachableClusterTest, NobodyAnswers) {
  const SilentServer server;
  expect_unreachable(server.address());
}

TEST_F(UnreachableClusterTest, WaitsOnceForAllWhoWait) {
  const SilentServer server;
  const std::size_t before = count_threads();
  const auto begin = steady_clock::now();
  std::vector<std::thread> threads;
  threads.reserve(6);
  for (int i = 0; i < 6; ++i) threads.emplace_back([&] { expect_unreachable(server.address()); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_LE(count_threads(), before);
}

using RbdClusterDeathTest = RbdClusterTest;

/// Ends the process while others open and close volumes, and nobody waits for them.
[[noreturn]] void exit_in_mid_open(const RbdOpenOptions& wanted, int milliseconds) {
  if (auto first = RbdVolume::open(wanted); !first) {
    std::fprintf(stderr, "%s\n", first.error().message.c_str());
    std::_Exit(9);
  }
  for (int i = 0; i < 3; ++i) {
    std::thread([wanted] {
      while (true) [[maybe_unused]] auto volume = RbdVolume::open(wanted);
    }).detach();
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  std::exit(7);
}

// Left to themselves, the static destructors of librados 16 end one of three such processes by a
// signal.
TEST_F(RbdClusterDeathTest, AProcessMayEndWhileItOpensVolumes) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  // Each of the processes comes by here, and none but the first cleans up: they share an image.
  const std::string name = shared_name("native-exit");
  RbdOpenOptions wanted = options(name);
  wanted.writable = true;
  wanted.create = RbdCreateOptions{.size = kMiB};
  if (auto made = RbdVolume::open(wanted); !made) {
    ASSERT_EQ(made.error().number, EEXIST);
  }
  for (int milliseconds = 200; milliseconds < 360; milliseconds += 20) {
    EXPECT_EXIT(exit_in_mid_open(options(name), milliseconds), testing::ExitedWithCode(7), "");
  }
}

TEST(LibrbdDeathTest, AMissingLibraryNamesThePackage) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto load = [](const char* file) {
    ::setenv("BLOCKHAUL_LIBRBD", file, 1);
    auto librbd = Librbd::load();
    if (!librbd)
      std::fprintf(stderr, "%s %s\n", librbd.error().code.c_str(), librbd.error().message.c_str());
    std::_Exit(librbd ? 1 : 0);
  };
  EXPECT_EXIT(load("/nonexistent/librbd.so.1"), testing::ExitedWithCode(0),
              "ERR_DRIVER_UNAVAILABLE .*install the package librbd1");
  EXPECT_EXIT(load("libz.so.1"), testing::ExitedWithCode(0),
              "ERR_DRIVER_UNAVAILABLE libz.so.1 has no function rados_create2");
}

TEST(LibrbdTest, KnowsItsVersion) {
  auto librbd = Librbd::load();
  ASSERT_TRUE(librbd) << librbd.error().message;
  EXPECT_EQ(librbd.value()->major, 1);
  EXPECT_EQ(librbd.value()->version().substr(0, 2), "1.");
  EXPECT_EQ(Librbd::load().value(), librbd.value());
}

}  // namespace
}  // namespace blockhaul::test
