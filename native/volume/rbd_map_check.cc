#include "volume/rbd_map_check.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "volume/object_map.h"
#include "volume/rbd_task.h"

namespace blockhaul {
namespace {

/// Objects that one query looks at: some 0.1 s, so that it shows that it gets on.
constexpr std::uint64_t kObjectsAtOnce = 1024;
/// Longer chains of clones than librbd itself gets along with.
constexpr int kMostAncestors = 64;

/// An image of the chain, as librbd has it open.
struct Opened {
  const Librbd& librbd;
  rados_ioctx_t pool;
  rbd_image_t image;
  RbdFacts facts;
  std::string name;
};

/// Compares what the OSDs have with what the map says, object by object.
struct Comparison {
  const RbdFacts& facts;
  const ObjectMap& map;
  std::optional<std::uint64_t> denied{};  ///< the first data in an object that the map denies

  static int look(std::uint64_t offset, std::size_t length, int exists, void* context) noexcept {
    Comparison& comparison = *static_cast<Comparison*>(context);
    if (exists == 0) return 0;
    const std::uint64_t unit = comparison.facts.stripe_unit;
    for (std::uint64_t at = offset; at < offset + length; at += unit - at % unit) {
      if (comparison.map.exists(object_at(comparison.facts, at))) continue;
      // Objects come in an order of librbd's own.
      comparison.denied = std::min(comparison.denied.value_or(at), at);
    }
    return 0;
  }
};

Status check_one(const Opened& opened, Pulse& pulse) {
  const RbdFacts& facts = opened.facts;
  auto map = ObjectMap::load(opened.librbd, opened.pool, opened.image, facts);
  if (!map) return map.error();
  if (!map.value()) return success();
  Comparison comparison{.facts = facts, .map = *map.value()};
  const std::uint64_t step =
      facts.period() * std::max<std::uint64_t>(kObjectsAtOnce / facts.stripe_count, 1);
  constexpr std::uint8_t kWithoutParent = 0;
  constexpr std::uint8_t kExactly = 0;
  for (std::uint64_t offset = 0; offset < facts.size; offset += step) {
    const std::uint64_t length = std::min(step, facts.size - offset);
    const int result =
        opened.librbd.rbd_diff_iterate2(opened.image, nullptr, offset, length, kWithoutParent,
                                        kExactly, &Comparison::look, &comparison);
    if (comparison.denied) {
      return Error{.number = EBADMSG,
                   .message = "the object map of " + opened.name +
                              " says that nothing is where its storage has data: what is read "
                              "there is not what was written",
                   .code = "ERR_WRONG_MAP",
                   .operation = Operation::map,
                   .offset = static_cast<std::int64_t>(*comparison.denied)};
    }
    if (result < 0) return Error::from_errno(-result, Operation::map, opened.name);
    pulse.beat();
  }
  return success();
}

/// What a clone reads from: opened, and closed again.
class Parent {
 public:
  Parent(const Librbd& librbd, rados_t cluster) : librbd_(librbd), cluster_(cluster) {}
  ~Parent() {
    if (image_ != nullptr) librbd_.rbd_close(image_);
    if (pool_ != nullptr) librbd_.rados_ioctx_destroy(pool_);
  }
  Parent(const Parent&) = delete;
  Parent& operator=(const Parent&) = delete;

  Status open(rbd_image_t child) {
    rbd_linked_image_spec_t spec{};
    rbd_snap_spec_t snapshot{};
    int result = librbd_.rbd_get_parent(child, &spec, &snapshot);
    if (result < 0) return failed(result);
    name_ = std::string(spec.pool_name) + "/" +
            (*spec.pool_namespace == '\0' ? "" : std::string(spec.pool_namespace) + "/") +
            spec.image_name + "@" + snapshot.name;
    result = librbd_.rados_ioctx_create(cluster_, spec.pool_name, &pool_);
    if (result >= 0) {
      librbd_.rados_ioctx_set_namespace(pool_, spec.pool_namespace);
      // By its id: it may lie in the trash.
      result = librbd_.rbd_open_by_id_read_only(pool_, spec.image_id, &image_, nullptr);
      if (result < 0) image_ = nullptr;
    }
    if (result >= 0) result = librbd_.rbd_snap_set_by_id(image_, snapshot.id);
    snapshot_ = snapshot.id;
    librbd_.rbd_linked_image_spec_cleanup(&spec);
    librbd_.rbd_snap_spec_cleanup(&snapshot);
    return result < 0 ? failed(result) : success();
  }

  [[nodiscard]] Result<Opened> opened() const {
    auto facts = RbdFacts::read(librbd_, pool_, image_, name_, std::nullopt);
    if (!facts) return facts.error();
    facts.value().snapshot_id = snapshot_;
    return Opened{librbd_, pool_, image_, std::move(facts.value()), name_};
  }

 private:
  [[nodiscard]] Error failed(int result) const {
    return Error::from_errno(-result, Operation::map, "the parent " + name_);
  }

  const Librbd& librbd_;
  rados_t cluster_;
  rados_ioctx_t pool_ = nullptr;
  rbd_image_t image_ = nullptr;
  std::uint64_t snapshot_ = 0;
  std::string name_;
};

bool knows_parents(const Librbd& librbd) {
  return librbd.rbd_get_parent != nullptr && librbd.rbd_open_by_id_read_only != nullptr &&
         librbd.rbd_snap_set_by_id != nullptr && librbd.rbd_linked_image_spec_cleanup != nullptr &&
         librbd.rbd_snap_spec_cleanup != nullptr;
}

Status check_chain(const RbdImage& image, const std::string& name, bool with_own, Pulse& pulse) {
  const Librbd& librbd = image.librbd();
  const Opened own{librbd, image.pool().get(), image.get(), image.facts(), name};
  if (with_own) {
    if (Status checked = check_one(own, pulse); !checked) return checked;
  }
  bool has_parent = own.facts.has_parent;
  std::vector<std::unique_ptr<Parent>> parents;
  rbd_image_t child = own.image;
  while (has_parent) {
    if (pulse.is_given_up()) return rbd_given_up();
    if (!knows_parents(librbd) || parents.size() >= kMostAncestors) {
      return Error{.number = ENOTSUP,
                   .message = "librbd " + librbd.version() + " does not name all parents of " +
                              name + ", so that their object maps cannot be looked at",
                   .operation = Operation::map};
    }
    parents.push_back(std::make_unique<Parent>(librbd, image.cluster().get()));
    if (Status opened = parents.back()->open(child); !opened) return opened;
    auto parent = parents.back()->opened();
    if (!parent) return parent.error();
    if (Status checked = check_one(parent.value(), pulse); !checked) return checked;
    child = parent.value().image;
    has_parent = parent.value().facts.has_parent;
  }
  return success();
}

}  // namespace

std::uint64_t object_at(const RbdFacts& facts, std::uint64_t offset) {
  const std::uint64_t in_period = offset % facts.period();
  const std::uint64_t column = in_period / facts.stripe_unit % facts.stripe_count;
  return offset / facts.period() * facts.stripe_count + column;
}

Status check_object_maps(const RbdOpenOptions& options, bool with_own) {
  return with_image<std::monostate>(
      options, [name = options.path(), with_own](const RbdImage& image, Pulse& pulse) {
        return check_chain(image, name, with_own, pulse);
      });
}

}  // namespace blockhaul
