#include "io/process_scan.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "io/unique_descriptor.h"
#include "support/temporary.h"

namespace blockhaul::test {
namespace {

namespace fs = std::filesystem;

FileNode node_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return FileNode::of(status);
}

/// A child that has a file open in a given way until the test lets it go.
class Holder {
 public:
  enum class Kind : std::uint8_t { program, fork };

  Holder(const std::string& path, int flags, Kind kind = Kind::program) {
    std::array<int, 2> ready{};
    EXPECT_EQ(::pipe2(ready.data(), O_CLOEXEC), 0);
    child_ = ::fork();
    if (child_ == 0) {
      if (::open(path.c_str(), flags, 0600) < 0) ::_exit(1);
      if (kind == Kind::program) ::execlp("sleep", "sleep", "infinity", nullptr);
      ::close(ready[0]);
      ::close(ready[1]);
      for (;;) ::pause();
    }
    ::close(ready[1]);
    char byte = 0;
    // It ends when the child has become a program, or has closed it.
    EXPECT_EQ(::read(ready[0], &byte, 1), 0);
    ::close(ready[0]);
    EXPECT_EQ(::waitpid(child_, nullptr, WNOHANG), 0) << "the child could not open " << path;
  }
  ~Holder() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  [[nodiscard]] pid_t process() const { return child_; }

 private:
  pid_t child_ = -1;
};

class ProcessScanTest : public testing::Test {
 protected:
  std::string file(const std::string& name) {
    const std::string path = folder_.path(name);
    std::ofstream(path) << "content";
    return path;
  }

  /// A process of a made-up /proc with one descriptor.
  void add_process(const std::string& number, const std::string& leads_to,
                   const std::string& flags) {
    const fs::path process = fs::path(proc_) / number;
    for (const char* part : {"fd", "fdinfo", "ns"}) fs::create_directories(process / part);
    fs::create_symlink(leads_to, process / "fd/3");
    fs::create_symlink("mnt:[" + number + "]", process / "ns/mnt");
    std::ofstream(process / "fdinfo/3") << "pos:\t0\nflags:\t" << flags << "\nmnt_id:\t27\n";
    std::ofstream(process / "comm") << "program-" << number << "\n";
  }

  TemporaryFolder folder_;
  std::string proc_ = folder_.path("proc");
};

TEST_F(ProcessScanTest, NamesWhoHasAFileOpenForWriting) {
  const std::string path = file("disk.img");
  const std::string link = folder_.path("hard-link");
  fs::create_hard_link(path, link);
  const Holder writer(link, O_RDWR);
  const Holder appender(path, O_WRONLY | O_APPEND);
  const Holder reader(path, O_RDONLY);
  const Holder other(file("other.img"), O_RDWR);
  const std::vector<FileNode> nodes{node_of(path)};
  const ProcessScan scan = scan_processes(nodes);
  ASSERT_EQ(scan.writers.size(), 2U);
  EXPECT_EQ(scan.writers[0].process, std::min(writer.process(), appender.process()));
  EXPECT_EQ(scan.writers[1].process, std::max(writer.process(), appender.process()));
  EXPECT_FALSE(scan.writers[0].name.empty());
  ASSERT_EQ(scan.readers.size(), 1U);
  EXPECT_EQ(scan.readers[0].process, reader.process());
}

TEST_F(ProcessScanTest, LeavesItsOwnProcessOut) {
  const std::string path = file("disk.img");
  const UniqueDescriptor own(::open(path.c_str(), O_RDWR));
  ASSERT_TRUE(own);
  const std::vector<FileNode> nodes{node_of(path)};
  EXPECT_TRUE(scan_processes(nodes).writers.empty());
}

// As they are for a moment whenever a program is run.
TEST_F(ProcessScanTest, LeavesItsForksOutUntilTheyAreAnotherProgram) {
  const std::string path = file("disk.img");
  const UniqueDescriptor own(::open(path.c_str(), O_RDWR));
  const Holder fork(path, O_RDWR, Holder::Kind::fork);
  EXPECT_TRUE(scan_processes(std::vector{node_of(path)}).writers.empty());
  const Holder program(path, O_RDWR);
  const ProcessScan scan = scan_processes(std::vector{node_of(path)});
  ASSERT_EQ(scan.writers.size(), 1U);
  EXPECT_EQ(scan.writers[0].process, program.process());
  EXPECT_EQ(scan.writers[0].name, "sleep");
}

TEST_F(ProcessScanTest, TellsNodesApart) {
  const std::string one = file("one");
  const std::string two = file("two");
  const Holder writer(two, O_RDWR);
  const std::vector<FileNode> nodes{node_of(one), node_of(two)};
  const ProcessScan scan = scan_processes(nodes);
  ASSERT_EQ(scan.writers.size(), 1U);
  EXPECT_EQ(scan.writers[0].node, 1U);
}

// A file's inode number may be a device's number.
TEST_F(ProcessScanTest, TakesNoFileForADevice) {
  const std::string path = file("disk.img");
  const Holder writer(path, O_RDWR);
  FileNode device = node_of(path);
  device.is_block = true;
  EXPECT_TRUE(scan_processes(std::vector{device}).writers.empty());
}

TEST_F(ProcessScanTest, ReadsWhatAProcessSays) {
  const std::string path = file("disk.img");
  add_process("900001", path, "0100000");
  add_process("900002", path, "0100001");
  add_process("900003", path, "010000000");  // O_PATH
  add_process("900004", "socket:[12]", "02");
  add_process("900005", path, "nonsense");
  fs::remove(fs::path(proc_) / "900005/comm");
  fs::create_directories(fs::path(proc_) / "sys/fd");
  const ProcessScan scan = scan_processes(std::vector{node_of(path)}, proc_);
  ASSERT_EQ(scan.writers.size(), 1U);
  EXPECT_EQ(scan.writers[0].process, 900002);
  EXPECT_EQ(scan.writers[0].name, "program-900002");
}

TEST_F(ProcessScanTest, NamesOneProcessOfEachOtherMountNamespace) {
  const std::string path = file("disk.img");
  add_process("900001", path, "0");
  add_process("900002", path, "0");
  fs::remove(fs::path(proc_) / "900002/ns/mnt");
  fs::create_symlink("mnt:[900001]", fs::path(proc_) / "900002/ns/mnt");
  add_process("self", path, "0");
  add_process("900003", path, "0");
  fs::remove(fs::path(proc_) / "900003/ns/mnt");
  fs::create_symlink("mnt:[self]", fs::path(proc_) / "900003/ns/mnt");
  const ProcessScan scan = scan_processes({}, proc_);
  ASSERT_EQ(scan.namespaces.size(), 1U);
  EXPECT_LE(scan.namespaces[0], 900002);
}

TEST_F(ProcessScanTest, FindsWhoHasItMappedToWriteAndHasClosedIt) {
  const std::string path = file("disk.img");
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  std::array<char, 64> place{};
  std::snprintf(place.data(), place.size(), "00000000 %02x:%02x %llu", major(status.st_dev),
                minor(status.st_dev), static_cast<unsigned long long>(status.st_ino));
  const auto maps = [&](const std::string& process, const std::string& rights) {
    add_process(process, "/dev/null", "0");
    std::ofstream(fs::path(proc_) / process / "maps")
        << "7f0000000000-7f0000001000 r-xp 00000000 08:01 77  /usr/bin/true\n"
        << "7f0000002000-7f0000003000 rw-p 00000000 00:00 0\n"
        << "7f0000004000-7f0000005000 " << rights << " " << place.data() << "  " << path << "\n";
  };
  maps("900001", "rw-s");
  maps("900002", "-w-s");
  maps("900003", "r--s");
  maps("900004", "rw-p");
  const ProcessScan scan = scan_processes(std::vector{node_of(path)}, proc_);
  ASSERT_EQ(scan.writers.size(), 2U);
  EXPECT_EQ(scan.writers[0].process, 900001);
  EXPECT_EQ(scan.writers[1].process, 900002);
}

TEST_F(ProcessScanTest, SaysThatThisProcessMayWrite) {
  const std::string path = file("disk.img");
  EXPECT_TRUE(scan_processes(std::vector{node_of(path)}).own.empty());
  const UniqueDescriptor writer(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_EQ(scan_processes(std::vector{node_of(path)}).own.size(), 1U);
}

TEST_F(ProcessScanTest, FindsNothingWithoutProcAndSaysSo) {
  const ProcessScan scan = scan_processes({}, folder_.path("missing"));
  EXPECT_TRUE(scan.writers.empty());
  EXPECT_TRUE(scan.namespaces.empty());
  EXPECT_TRUE(scan.incomplete);
}

TEST_F(ProcessScanTest, SaysThatAProcessCouldNotBeLookedInto) {
  const std::string path = file("disk.img");
  const std::vector nodes{node_of(path)};
  add_process("900001", path, "0");
  EXPECT_FALSE(scan_processes(nodes, proc_).incomplete);
  // It has ended meanwhile.
  fs::create_directories(fs::path(proc_) / "900002");
  EXPECT_FALSE(scan_processes(nodes, proc_).incomplete);
  // What is no folder fails for root, too.
  fs::create_directories(fs::path(proc_) / "900003");
  std::ofstream(fs::path(proc_) / "900003/fd") << "";
  EXPECT_TRUE(scan_processes(nodes, proc_).incomplete);
}

}  // namespace
}  // namespace blockhaul::test
