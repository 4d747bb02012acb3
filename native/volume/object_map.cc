#include "volume/object_map.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "core/units.h"

namespace blockhaul {
namespace {

constexpr std::uint64_t kObjectsPerByte = 4;
constexpr unsigned kBitsPerObject = 2;
/// The header: its length, two bytes of versions, the length of what follows, the number of
/// objects.
constexpr std::size_t kHeaderSize = 4 + 2 + 4 + 8;
constexpr std::size_t kSizeOffset = kHeaderSize - 8;
/// Behind the states: some lengths and sums, and a sum for each 4 KiB.
constexpr std::size_t kFooterSize = 4 * kKiB;

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i)
    value = value << 8U | static_cast<unsigned char>(bytes[i - 1]);
  return value;
}

Error unreadable() {
  return Error{.number = EBADMSG,
               .message = "the object map has a form that is not known",
               .operation = Operation::map};
}

/// As many as the bytes of an image lie in.
std::uint64_t count_objects(const RbdFacts& facts) {
  const std::uint64_t rest = divide_up(facts.size % facts.period(), facts.stripe_unit);
  return facts.size / facts.period() * facts.stripe_count + std::min(rest, facts.stripe_count);
}

/// As librbd names it.
std::string name_of_map(const RbdFacts& facts) {
  std::string name = "rbd_object_map." + facts.id;
  if (!facts.snapshot_id) return name;
  std::array<char, 18> suffix{};
  std::snprintf(suffix.data(), suffix.size(), ".%016llx",
                static_cast<unsigned long long>(*facts.snapshot_id));
  return name + suffix.data();
}

}  // namespace

Result<std::optional<ObjectMap>> ObjectMap::load(const Librbd& librbd, rados_ioctx_t pool,
                                                 rbd_image_t image, const RbdFacts& facts) {
  const auto none = std::optional<ObjectMap>();
  if ((facts.features & RBD_FEATURE_OBJECT_MAP) == 0) return none;
  std::uint64_t flags = 0;
  int result = librbd.rbd_get_flags(image, &flags);
  if (result < 0) return Error::from_errno(-result, Operation::map, "the image's flags");
  if ((flags & RBD_FLAG_OBJECT_MAP_INVALID) != 0) return none;

  const std::uint64_t objects = count_objects(facts);
  const std::uint64_t bytes = divide_up(objects, kObjectsPerByte);
  std::vector<char> answer(kHeaderSize + bytes + bytes / kKiB * 4 + kFooterSize);
  const std::string name = name_of_map(facts);
  for (;;) {
    result = librbd.rados_exec(pool, name.c_str(), "rbd", "object_map_load", "", 0, answer.data(),
                               answer.size());
    // An image that became smaller may have a map of its former length.
    if (result != -ERANGE || answer.size() > kGiB) break;
    answer.resize(answer.size() * 2);
  }
  if (result == -ENOENT) return none;
  if (result < 0) return Error::from_errno(-result, Operation::map, "the object map");
  auto map = decode(std::string_view(answer.data(), static_cast<std::size_t>(result)));
  if (!map) return map.error();
  // librbd does not believe one that is too short either.
  if (map.value().size() < objects) return none;
  return std::optional<ObjectMap>(std::move(map.value()));
}

Result<ObjectMap> ObjectMap::decode(std::string_view answer) {
  if (answer.size() < kHeaderSize) return unreadable();
  if (little_endian(answer.substr(0, 4)) != kHeaderSize - 4) return unreadable();
  const std::uint64_t size = little_endian(answer.substr(kSizeOffset, 8));
  const std::uint64_t bytes = size / kObjectsPerByte + (size % kObjectsPerByte != 0 ? 1 : 0);
  if (bytes > answer.size() - kHeaderSize) return unreadable();
  const std::string_view states = answer.substr(kHeaderSize, bytes);
  return ObjectMap(size, std::vector<char>(states.begin(), states.end()));
}

bool ObjectMap::exists(std::uint64_t object) const {
  if (object >= size_) return false;
  const auto byte = static_cast<unsigned char>(states_[object / kObjectsPerByte]);
  const unsigned behind = kObjectsPerByte - 1 - object % kObjectsPerByte;
  constexpr unsigned kState = (1U << kBitsPerObject) - 1;
  return (byte >> (behind * kBitsPerObject) & kState) != 0;
}

}  // namespace blockhaul
