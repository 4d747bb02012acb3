#include "core/secret_memory.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include "support/sanitizers.h"

namespace blockhaul::test {
namespace {

SecretMemory make(std::size_t bytes) {
  auto made = SecretMemory::create(bytes);
  EXPECT_TRUE(made) << made.error().message;
  return std::move(made.value());
}

/// What the kernel says of the mapping that holds an address: " rd wr mr mw me ac dd ".
std::string flags_of(const void* address) {
  std::ifstream smaps("/proc/self/smaps");
  bool is_it = false;
  for (std::string line; std::getline(smaps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    if (std::istringstream head(line); head >> std::hex >> begin >> dash >> end && dash == '-') {
      const auto at = reinterpret_cast<std::uintptr_t>(address);
      is_it = begin <= at && at < end;
    }
    constexpr std::string_view kFlags = "VmFlags:";
    if (is_it && line.starts_with(kFlags)) return line.substr(kFlags.size()) + " ";
  }
  return "";
}

TEST(SecretMemoryTest, IsZeroAndOfItsSize) {
  const SecretMemory memory = make(5000);
  EXPECT_EQ(memory.bytes().size(), 5000U);
  EXPECT_TRUE(
      std::ranges::all_of(memory.bytes(), [](std::byte one) { return one == std::byte{}; }));
}

TEST(SecretMemoryTest, IsInNoCoreDumpAndNotSwappedOut) {
  const SecretMemory memory = make(20);
  const std::string flags = flags_of(memory.bytes().data());
  EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;
  EXPECT_NE(flags.find(" wf "), std::string::npos) << flags;
  // Sanitizers let nothing be locked.
  if (kAddressSanitizer || kThreadSanitizer) return;
  EXPECT_NE(flags.find(" lo "), std::string::npos) << flags;
}

TEST(SecretMemoryTest, IsNotWhatAForkedChildHas) {
  const SecretMemory memory = make(20);
  std::memcpy(memory.bytes().data(), "sesame", 6);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(memory.bytes()[0] == std::byte{} ? 0 : 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(memory.bytes()[0], std::byte{'s'});
}

TEST(SecretMemoryTest, IsWipedAndMoved) {
  SecretMemory memory = make(20);
  std::memcpy(memory.bytes().data(), "sesame", 6);
  const SecretMemory moved = std::move(memory);
  EXPECT_EQ(std::memcmp(moved.bytes().data(), "sesame", 6), 0);
  moved.wipe();
  EXPECT_TRUE(std::ranges::all_of(moved.bytes(), [](std::byte one) { return one == std::byte{}; }));
}

}  // namespace
}  // namespace blockhaul::test
