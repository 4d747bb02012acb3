#include "volume/rbd_parent.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace blockhaul {
namespace {

/// Reads what Ceph's classes encode: little-endian numbers, and texts behind their lengths.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <typename Number>
  Number number() {
    Number value{};
    if (bytes_.size() < sizeof value) {
      is_whole_ = false;
      return value;
    }
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_.remove_prefix(sizeof value);
    return value;
  }

  std::string text() {
    const auto length = number<std::uint32_t>();
    if (length > bytes_.size()) {
      is_whole_ = false;
      return {};
    }
    std::string found(bytes_.substr(0, length));
    bytes_.remove_prefix(length);
    return found;
  }

  [[nodiscard]] bool is_whole() const { return is_whole_; }

 private:
  std::string_view bytes_;
  bool is_whole_ = true;
};

/// What a method of the class "rbd" answers of an object; nothing where it fails.
std::optional<std::string> ask(const RbdPool& pool, const std::string& object, const char* method) {
  std::array<char, 4096> answer{};
  const int length = pool.librbd().rados_exec(pool.get(), object.c_str(), "rbd", method, nullptr, 0,
                                              answer.data(), answer.size());
  if (length < 0) return std::nullopt;
  return std::string(answer.data(), static_cast<std::size_t>(length));
}

}  // namespace

std::string parent_in_words(const RbdPool& pool, const std::string& image) {
  const auto answer = ask(pool, "rbd_id." + image, "get_id");
  if (!answer) return {};
  Reader id(*answer);
  const std::string header = "rbd_header." + id.text();
  const auto spec = id.is_whole() ? ask(pool, header, "parent_get") : std::nullopt;
  if (!spec) return {};
  Reader parent(*spec);
  parent.number<std::uint16_t>();  // of the encoding: its version, and the oldest that can read it
  parent.number<std::uint32_t>();  // its length
  const auto pool_id = parent.number<std::int64_t>();
  const std::string name_space = parent.text();
  const std::string parent_id = parent.text();
  if (!parent.is_whole() || pool_id < 0 || parent_id.empty()) return {};
  std::array<char, 256> name{};
  const bool is_named = pool.librbd().rados_pool_reverse_lookup(pool.cluster().get(), pool_id,
                                                                name.data(), name.size()) >= 0;
  return "the image with the id " + quoted(parent_id) + " in pool " +
         quoted(is_named ? name.data() : std::to_string(pool_id)) +
         (name_space.empty() ? "" : ", namespace " + quoted(name_space));
}

}  // namespace blockhaul
