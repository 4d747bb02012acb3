#include "support/temporary.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace blockhaul::test {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::string base_folder() {
  for (const char* name : {"BLOCKHAUL_TEST_FOLDER", "TMPDIR"}) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
    if (value != nullptr && *value != '\0') return value;
  }
  return "/tmp";
}

/// A file that is open while this lives.
class OpenFile {
 public:
  OpenFile(const std::string& path, int flags) : descriptor_(::open(path.c_str(), flags, 0600)) {
    if (descriptor_ < 0) fail(path);
  }
  ~OpenFile() { ::close(descriptor_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

void write_at(int descriptor, const Bytes& bytes, std::uint64_t offset, std::uint64_t length) {
  while (length > 0) {
    const ssize_t written =
        ::pwrite(descriptor, bytes.data() + offset, length, static_cast<off_t>(offset));
    if (written <= 0) fail("pwrite");
    offset += static_cast<std::uint64_t>(written);
    length -= static_cast<std::uint64_t>(written);
  }
}

}  // namespace

TemporaryFolder::TemporaryFolder() : path_(base_folder() + "/blockhaul-test-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) fail(path_);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string source_folder() {
  // Not from __FILE__: objects are shared between builds, and name their sources relatively.
  const fs::path binary = fs::read_symlink("/proc/self/exe");  // out/VARIANT/blockhaul_tests
  return binary.parent_path().parent_path().parent_path();
}

void write_file(const std::string& path, const Bytes& bytes) {
  const OpenFile file(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC);
  write_at(file.get(), bytes, 0, bytes.size());
}

/// Reads by any path, block devices too; dirty pages of other descriptors are seen.
Bytes read_file(const std::string& path) {
  const OpenFile file(path, O_RDONLY | O_CLOEXEC);
  Bytes bytes(static_cast<std::size_t>(::lseek(file.get(), 0, SEEK_END)));
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t got =
        ::pread(file.get(), bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (got <= 0) fail("pread");
    at += static_cast<std::size_t>(got);
  }
  return bytes;
}

void write_sparse(const std::string& path, const Content& content) {
  const OpenFile file(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC);
  if (::ftruncate(file.get(), static_cast<off_t>(content.bytes.size())) != 0) fail(path);
  for (const Extent& extent : content.extents) {
    if (extent.kind == ExtentKind::data)
      write_at(file.get(), content.bytes, extent.offset, extent.length);
  }
}

std::uint64_t allocated_bytes(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) fail(path);
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

std::size_t open_descriptors() {
  const fs::directory_iterator entries("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

}  // namespace blockhaul::test
