#include "io/scsi_commands.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>

#include "support/temporary.h"

namespace blockhaul::test {
namespace {

// What targets answer, the guest's scenarios show.
TEST(ScsiCommandsTest, AreRefusedByWhatIsNoScsiDevice) {
  TemporaryFolder folder;
  const std::string file = folder.path("file");
  std::ofstream(file) << "content";
  constexpr std::uint8_t kSerialNumber = 0x80;
  for (const auto& answer : {report_luns(file), inquire(file, kSerialNumber)}) {
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().number, ENOTTY);
  }
  const auto missing = report_luns(folder.path("missing"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().number, ENOENT);
}

}  // namespace
}  // namespace blockhaul::test
