#include "volume/rbd_meta.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace blockhaul {
namespace {

/// Pairs that are asked for at once.
constexpr std::uint64_t kPage = 64;

/// What Ceph's own names begin with, such as those of mirroring.
constexpr const char* kReserved = ".";

Error failed(int result, const char* what) {
  return Error::from_errno(-result, Operation::open, what);
}

/// The texts that lie one after the other, each with a zero behind it.
std::vector<std::string> texts_of(const std::vector<char>& bytes, std::size_t length) {
  std::vector<std::string> texts;
  for (std::size_t at = 0; at < length;) {
    const std::size_t size = ::strnlen(bytes.data() + at, length - at);
    texts.emplace_back(bytes.data() + at, size);
    at += size + 1;
  }
  return texts;
}

}  // namespace

Result<RbdMeta> read_meta(const Librbd& librbd, rbd_image_t image) {
  RbdMeta meta;
  std::string last;
  std::vector<char> keys(4096);
  std::vector<char> values(4096);
  for (;;) {
    std::size_t keys_length = keys.size();
    std::size_t values_length = values.size();
    const int result = librbd.rbd_metadata_list(image, last.c_str(), kPage, keys.data(),
                                                &keys_length, values.data(), &values_length);
    if (result == -ERANGE) {
      keys.resize(std::max(keys_length, keys.size()) + 1);
      values.resize(std::max(values_length, values.size()) + 1);
      continue;
    }
    if (result < 0) return failed(result, "the image's metadata");
    const auto names = texts_of(keys, keys_length);
    const auto texts = texts_of(values, values_length);
    if (names.size() != texts.size()) {
      return Error{.number = EIO, .message = "librbd's list of the image's metadata has gaps"};
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!names[i].starts_with(kReserved)) meta.emplace_back(names[i], texts[i]);
    }
    if (names.size() < kPage) return meta;
    last = names.back();
  }
}

Status write_meta(const Librbd& librbd, rbd_image_t image, const RbdMeta& meta) {
  for (const auto& [name, value] : meta) {
    const int result = librbd.rbd_metadata_set(image, name.c_str(), value.c_str());
    if (result < 0) return failed(result, "set the image's metadata");
  }
  return success();
}

}  // namespace blockhaul
