#include "volume/rbd_opening.h"

#include <array>
#include <utility>

namespace blockhaul {
namespace {

constexpr unsigned kSmallestOrder = 12;
constexpr unsigned kLargestOrder = 25;

struct Feature {
  const char* name;
  std::uint64_t bit;
};

constexpr std::array kFeatures = {
    Feature{RBD_FEATURE_NAME_LAYERING, RBD_FEATURE_LAYERING},
    Feature{RBD_FEATURE_NAME_STRIPINGV2, RBD_FEATURE_STRIPINGV2},
    Feature{RBD_FEATURE_NAME_EXCLUSIVE_LOCK, RBD_FEATURE_EXCLUSIVE_LOCK},
    Feature{RBD_FEATURE_NAME_OBJECT_MAP, RBD_FEATURE_OBJECT_MAP},
    Feature{RBD_FEATURE_NAME_FAST_DIFF, RBD_FEATURE_FAST_DIFF},
    Feature{RBD_FEATURE_NAME_DEEP_FLATTEN, RBD_FEATURE_DEEP_FLATTEN},
    Feature{RBD_FEATURE_NAME_JOURNALING, RBD_FEATURE_JOURNALING},
    Feature{RBD_FEATURE_NAME_DATA_POOL, RBD_FEATURE_DATA_POOL},
    Feature{RBD_FEATURE_NAME_OPERATIONS, RBD_FEATURE_OPERATIONS},
    Feature{RBD_FEATURE_NAME_MIGRATING, RBD_FEATURE_MIGRATING},
    Feature{RBD_FEATURE_NAME_NON_PRIMARY, RBD_FEATURE_NON_PRIMARY},
    Feature{RBD_FEATURE_NAME_DIRTY_CACHE, RBD_FEATURE_DIRTY_CACHE},
};

std::string quoted(const std::string& name) { return "\"" + name + "\""; }

Error invalid(std::string message) {
  return Error{.number = EINVAL, .message = std::move(message)};
}

Result<std::uint64_t> feature_bits(const std::vector<std::string>& names) {
  std::uint64_t bits = 0;
  for (const std::string& name : names) {
    std::uint64_t bit = 0;
    for (const Feature& feature : kFeatures) {
      if (name == feature.name) bit = feature.bit;
    }
    if (bit == 0) return invalid(quoted(name) + " is no RBD feature");
    bits |= bit;
  }
  return bits;
}

/// Owns an rbd_image_options_t.
class ImageOptions {
 public:
  explicit ImageOptions(const Librbd& librbd) : librbd_(librbd) {
    librbd_.rbd_image_options_create(&options_);
  }
  ~ImageOptions() { librbd_.rbd_image_options_destroy(options_); }
  ImageOptions(const ImageOptions&) = delete;
  ImageOptions& operator=(const ImageOptions&) = delete;

  void set(int option, std::uint64_t value) {
    librbd_.rbd_image_options_set_uint64(options_, option, value);
  }
  void set(int option, const std::string& value) {
    librbd_.rbd_image_options_set_string(options_, option, value.c_str());
  }
  [[nodiscard]] rbd_image_options_t get() const { return options_; }

 private:
  const Librbd& librbd_;
  rbd_image_options_t options_ = nullptr;
};

}  // namespace

Result<RbdOpening> RbdOpening::prepare(const Librbd& librbd, RbdOpenOptions options) {
  if (!options.name_space.empty() && librbd.rbd_namespace_exists == nullptr) {
    return Error{.number = ENOTSUP,
                 .message = "librbd " + librbd.version() + " knows no namespaces"};
  }
  RbdOpening opening(std::move(options));
  if (!opening.options_.create) return opening;
  const RbdCreateOptions& create = *opening.options_.create;
  if (opening.options_.snapshot) return invalid("a snapshot cannot be created by an open");
  if (create.order && (*create.order < kSmallestOrder || *create.order > kLargestOrder)) {
    return invalid("an object of an RBD image has 4 KiB to 32 MiB");
  }
  if (create.features) {
    auto bits = feature_bits(*create.features);
    if (!bits) return bits.error();
    opening.features_ = bits.value();
  }
  return opening;
}

Error RbdOpening::failed(int result, const std::string& what) const {
  if (result == -EPERM || result == -EACCES) {
    return Error::from_errno(-result, Operation::open,
                             options_.connection.name + " may not " + what);
  }
  return Error::from_errno(-result, Operation::open, what);
}

Status RbdOpening::open_pool(RbdImage& image) const {
  const Librbd& librbd = image.librbd();
  const int result =
      librbd.rados_ioctx_create(image.cluster().get(), options_.pool.c_str(), &image.pool_);
  if (result == -ENOENT) {
    return Error{.number = ENOENT, .message = "pool " + quoted(options_.pool) + " does not exist"};
  }
  if (result < 0) return failed(result, "use pool " + quoted(options_.pool));
  librbd.rados_ioctx_set_namespace(image.pool_, options_.name_space.c_str());
  // Else a write into a full pool or cluster waits until somebody makes room, and says nothing.
  if (librbd.rados_set_pool_full_try != nullptr) librbd.rados_set_pool_full_try(image.pool_);
  return success();
}

Status RbdOpening::create(RbdImage& image) const {
  const Librbd& librbd = image.librbd();
  const RbdCreateOptions& wanted = *options_.create;
  ImageOptions options(librbd);
  options.set(RBD_IMAGE_OPTION_FORMAT, 2);
  if (wanted.order) options.set(RBD_IMAGE_OPTION_ORDER, *wanted.order);
  if (wanted.features) options.set(RBD_IMAGE_OPTION_FEATURES, features_);
  if (wanted.stripe_unit != 0) options.set(RBD_IMAGE_OPTION_STRIPE_UNIT, wanted.stripe_unit);
  if (wanted.stripe_count != 0) options.set(RBD_IMAGE_OPTION_STRIPE_COUNT, wanted.stripe_count);
  if (!wanted.data_pool.empty()) {
    if (librbd.rados_pool_lookup(image.cluster().get(), wanted.data_pool.c_str()) == -ENOENT) {
      return Error{.number = ENOENT,
                   .message = "data pool " + quoted(wanted.data_pool) + " does not exist"};
    }
    options.set(RBD_IMAGE_OPTION_DATA_POOL, wanted.data_pool);
  }
  const int result =
      librbd.rbd_create4(image.pool_, options_.image.c_str(), wanted.size, options.get());
  switch (-result) {
    case EEXIST:
      return Error{.number = EEXIST,
                   .message = "image " + quoted(options_.image) + " exists already"};
    case ENOENT:
      return not_found(image);
    case EINVAL:
    case EDOM:
      return invalid(
          "librbd refuses an image of this size, object size, striping and set of features");
    default:
      break;
  }
  if (result < 0) return failed(result, "create image " + quoted(options_.image));
  return success();
}

Status RbdOpening::open_image(RbdImage& image) const {
  const Librbd& librbd = image.librbd();
  const auto open = options_.writable ? librbd.rbd_open : librbd.rbd_open_read_only;
  const char* snapshot = options_.snapshot ? options_.snapshot->c_str() : nullptr;
  const int result = open(image.pool_, options_.image.c_str(), &image.image_, snapshot);
  if (result >= 0) return success();
  image.image_ = nullptr;
  if (result == -ENOENT) return not_found(image);
  return failed(result, "open image " + quoted(options_.image));
}

Status RbdOpening::read_facts(RbdImage& image) const {
  auto facts =
      RbdFacts::read(image.librbd(), image.pool_, image.image_, options_.image, options_.snapshot);
  if (!facts) return facts.error();
  image.facts_ = std::move(facts.value());
  return success();
}

/// Looks for what it is that does not exist.
Error RbdOpening::not_found(RbdImage& image) const {
  const Librbd& librbd = image.librbd();
  std::string what = "image " + quoted(options_.image);
  bool exists = true;
  rbd_image_t head = nullptr;
  if (!options_.name_space.empty() &&
      librbd.rbd_namespace_exists(image.pool_, options_.name_space.c_str(), &exists) == 0 &&
      !exists) {
    what = "namespace " + quoted(options_.name_space) + " of pool " + quoted(options_.pool);
  } else if (options_.snapshot &&
             librbd.rbd_open_read_only(image.pool_, options_.image.c_str(), &head, nullptr) == 0) {
    librbd.rbd_close(head);
    what = "snapshot " + quoted(*options_.snapshot);
  }
  return Error{.number = ENOENT, .message = what + " does not exist"};
}

Result<std::unique_ptr<RbdImage>> RbdOpening::run(std::shared_ptr<RadosCluster> cluster) const {
  std::unique_ptr<RbdImage> image(new RbdImage(std::move(cluster)));
  Status done = open_pool(*image);
  if (done && options_.create) done = create(*image);
  const bool created = done && options_.create;
  if (done) done = open_image(*image);
  if (done) done = read_facts(*image);
  if (done) return image;
  if (done.error().number == ESHUTDOWN) image->cluster().abandon();
  if (created) undo(std::move(image));
  return done.error();
}

void RbdOpening::undo(std::unique_ptr<RbdImage> image) const {
  const Librbd& librbd = image->librbd();
  if (image->image_ != nullptr) librbd.rbd_close(std::exchange(image->image_, nullptr));
  if (options_.create) librbd.rbd_remove(image->pool_, options_.image.c_str());
}

}  // namespace blockhaul
