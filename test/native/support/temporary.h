#pragma once

#include <string>

#include "support/content.h"

namespace blockhaul::test {

/// A folder of a test's own, on a file system that knows direct I/O where there is one; removed
/// with all that is in it. BLOCKHAUL_TEST_FOLDER says where; else it is made in TMPDIR or /tmp.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  /// Of something inside.
  [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// The checkout that these tests were built from.
std::string source_folder();

void write_file(const std::string& path, const Bytes& bytes);
Bytes read_file(const std::string& path);

/// Makes a file of such a content; what is no data stays a hole.
void write_sparse(const std::string& path, const Content& content);

/// Bytes that a file takes on its medium.
std::uint64_t allocated_bytes(const std::string& path);

/// Open descriptors of this process.
std::size_t open_descriptors();

}  // namespace blockhaul::test
