#include "io/file_lease.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "io/unique_descriptor.h"

namespace blockhaul {
namespace {

class FileLeaseTest : public testing::Test {
 protected:
  void SetUp() override {
    const UniqueDescriptor file(::mkostemp(path_.data(), O_CLOEXEC));
    ASSERT_TRUE(file);
    reader_ = UniqueDescriptor(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  }
  void TearDown() override { ::unlink(path_.c_str()); }

  std::string path_ = testing::TempDir() + "/lease-XXXXXX";
  UniqueDescriptor reader_;
};

TEST_F(FileLeaseTest, NobodyWritesToAFileThatIsOnlyRead) {
  const UniqueDescriptor other(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(who_writes(reader_.get()), Writers::none);
  EXPECT_EQ(who_writes(reader_.get()), Writers::none);
}

TEST_F(FileLeaseTest, AWriterIsSeen) {
  {
    const UniqueDescriptor writer(::open(path_.c_str(), O_WRONLY | O_CLOEXEC));
    EXPECT_EQ(who_writes(reader_.get()), Writers::some);
  }
  EXPECT_EQ(who_writes(reader_.get()), Writers::none);
}

TEST_F(FileLeaseTest, AMappingThatOutlivesItsDescriptorIsSeen) {
  ASSERT_EQ(::truncate(path_.c_str(), 4096), 0);
  UniqueDescriptor writer(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
  void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, writer.get(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  writer = UniqueDescriptor();
  EXPECT_EQ(who_writes(reader_.get()), Writers::some);
  ::munmap(memory, 4096);
  EXPECT_EQ(who_writes(reader_.get()), Writers::none);
}

TEST_F(FileLeaseTest, NoLeaseIsKept) {
  EXPECT_EQ(who_writes(reader_.get()), Writers::none);
  // With a lease in its way, this would fail.
  const UniqueDescriptor writer(::open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  EXPECT_TRUE(writer);
}

TEST_F(FileLeaseTest, OfADeviceNobodyCanSay) {
  const UniqueDescriptor device(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(who_writes(device.get()), Writers::unknown);
}

}  // namespace
}  // namespace blockhaul
