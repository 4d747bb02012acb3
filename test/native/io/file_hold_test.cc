#include "io/file_hold.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <thread>

namespace blockhaul {
namespace {

class HeldFile : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    path_ = folder_ + "/disk";
    other_ = folder_ + "/other";
    make(path_);
  }
  void TearDown() override {
    for (const std::string& one : {path_, other_}) ::unlink(one.c_str());
    ::rmdir(folder_.c_str());
  }
  static void make(const std::string& path) {
    const UniqueDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    ASSERT_TRUE(file);
    ASSERT_EQ(::ftruncate(file.get(), 4096), 0);
  }
  static bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }
  static ino_t inode(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0);
    return status.st_ino;
  }

  std::string folder_ = testing::TempDir() + "/hold-XXXXXX";
  std::string path_;
  std::string other_;
};

TEST_F(HeldFile, IsWholeWhileNobodyWrites) {
  const UniqueDescriptor reader(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  auto hold = FileHold::take(path_);
  ASSERT_TRUE(hold);
  EXPECT_EQ(hold.value()->writers(), Writers::none);
  EXPECT_TRUE(hold.value()->is_whole());
  EXPECT_EQ(hold.value()->look().inode, inode(path_));
}

TEST_F(HeldFile, SeesAWriter) {
  const UniqueDescriptor writer(::open(path_.c_str(), O_WRONLY | O_CLOEXEC));
  auto hold = FileHold::take(path_);
  ASSERT_TRUE(hold);
  EXPECT_EQ(hold.value()->writers(), Writers::some);
  EXPECT_FALSE(hold.value()->is_whole());
}

TEST_F(HeldFile, SeesAMappingThatOutlivesItsDescriptor) {
  UniqueDescriptor writer(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
  void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, writer.get(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  writer = UniqueDescriptor();
  auto hold = FileHold::take(path_);
  ASSERT_TRUE(hold);
  EXPECT_EQ(hold.value()->writers(), Writers::some);
  ::munmap(memory, 4096);
}

TEST_F(HeldFile, IsNotWholeOnceSomebodyTriedToWrite) {
  auto hold = FileHold::take(path_);
  ASSERT_TRUE(hold);
  // Without O_NONBLOCK it would wait for the hold's end.
  const UniqueDescriptor writer(::open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  EXPECT_FALSE(writer);
  EXPECT_EQ(errno, EWOULDBLOCK);
  EXPECT_FALSE(hold.value()->is_whole());
}

TEST_F(HeldFile, LetsAWriterInWhenItEnds) {
  auto hold = FileHold::take(path_);
  ASSERT_TRUE(hold);
  std::thread opening([this] {
    const UniqueDescriptor writer(::open(path_.c_str(), O_WRONLY | O_CLOEXEC));
    EXPECT_TRUE(writer);
  });
  while (hold.value()->is_whole()) std::this_thread::yield();
  hold.value().reset();
  opening.join();
}

TEST_F(HeldFile, RemovesItsOwnNameAndNoOther) {
  make(other_);
  auto hold = FileHold::take(path_);
  ASSERT_TRUE(hold);
  auto removed = hold.value()->unlink(other_);
  ASSERT_TRUE(removed);
  EXPECT_FALSE(removed.value());
  EXPECT_TRUE(exists(other_));
  removed = hold.value()->unlink(path_);
  ASSERT_TRUE(removed);
  EXPECT_TRUE(removed.value());
  EXPECT_FALSE(exists(path_));
  removed = hold.value()->unlink(path_);
  ASSERT_TRUE(removed);
  EXPECT_FALSE(removed.value());
}

TEST_F(HeldFile, IsTakenThroughNoLink) {
  ASSERT_EQ(::symlink(path_.c_str(), other_.c_str()), 0);
  auto hold = FileHold::take(other_);
  ASSERT_FALSE(hold);
  EXPECT_EQ(hold.error().number, ELOOP);
  auto folder = FileHold::take(folder_);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().number, EINVAL);
}

TEST_F(HeldFile, ARenameOverwritesNothing) {
  make(other_);
  const ino_t before = inode(other_);
  const auto refused = rename_to_new(path_, other_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().number, EEXIST);
  EXPECT_EQ(inode(other_), before);
  ::unlink(other_.c_str());
  EXPECT_TRUE(rename_to_new(path_, other_));
  EXPECT_FALSE(exists(path_));
}

}  // namespace
}  // namespace blockhaul
