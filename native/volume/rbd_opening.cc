#include "volume/rbd_opening.h"

#include <utility>

#include "volume/rbd_parent.h"

namespace blockhaul {
namespace {

Error invalid(std::string message) {
  return Error{.number = EINVAL, .message = std::move(message)};
}

}  // namespace

Result<RbdOpening> RbdOpening::prepare(RbdOpenOptions options) {
  RbdOpening opening(std::move(options));
  if (!opening.options_.create) return opening;
  if (opening.options_.snapshot) return invalid("a snapshot cannot be created by an open");
  if (Status checked = opening.options_.create->check(); !checked) return checked.error();
  return opening;
}

Status RbdOpening::create(RbdImage& image) const {
  const Librbd& librbd = image.librbd();
  const RbdCreateOptions& wanted = *options_.create;
  RbdImageOptions options(librbd);
  if (Status set = options.set(wanted, image.pool()); !set) return set;
  const int result =
      librbd.rbd_create4(image.pool().get(), options_.image.c_str(), wanted.size, options.get());
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
  if (result < 0) return image.pool().failed(result, "create image " + quoted(options_.image));
  return success();
}

Status RbdOpening::open_image(RbdImage& image) const {
  const Librbd& librbd = image.librbd();
  const auto open = options_.writable ? librbd.rbd_open : librbd.rbd_open_read_only;
  const char* snapshot = options_.snapshot ? options_.snapshot->c_str() : nullptr;
  const int result = open(image.pool().get(), options_.image.c_str(), &image.image_, snapshot);
  if (result >= 0) return success();
  image.image_ = nullptr;
  if (result == -ENOENT) return not_found(image);
  const std::string what = "open image " + quoted(options_.image);
  if (result != -EPERM && result != -EACCES) return image.pool().failed(result, what);
  // Where its own header can be read, it is the parent's that cannot.
  const std::string parent = parent_in_words(image.pool(), options_.image);
  if (parent.empty()) return image.pool().failed(result, what);
  return image.pool().failed(result,
                             "read the parent of image " + quoted(options_.image) + ": " + parent);
}

Status RbdOpening::read_facts(RbdImage& image) const {
  auto facts = RbdFacts::read(image.librbd(), image.pool().get(), image.image_, options_.image,
                              options_.snapshot);
  if (!facts) return facts.error();
  image.facts_ = std::move(facts.value());
  return success();
}

/// Looks for what it is that does not exist.
Error RbdOpening::not_found(RbdImage& image) const {
  const Librbd& librbd = image.librbd();
  rbd_image_t head = nullptr;
  if (options_.snapshot &&
      librbd.rbd_open_read_only(image.pool().get(), options_.image.c_str(), &head, nullptr) == 0) {
    librbd.rbd_close(head);
    return Error{.number = ENOENT,
                 .message = "snapshot " + quoted(*options_.snapshot) + " does not exist"};
  }
  return image.pool().not_found(options_.image);
}

Result<std::unique_ptr<RbdImage>> RbdOpening::run(std::shared_ptr<RadosCluster> cluster) const {
  auto pool = RbdPool::open(std::move(cluster), options_);
  if (!pool) return pool.error();
  std::unique_ptr<RbdImage> image(new RbdImage(std::move(pool.value())));
  Status done = success();
  if (options_.create) done = create(*image);
  const bool created = done && options_.create;
  if (done) done = open_image(*image);
  if (done && created) done = write_meta(image->librbd(), image->image_, options_.create->meta);
  if (done) done = read_facts(*image);
  if (done) return image;
  if (done.error().number == ESHUTDOWN) image->cluster().abandon();
  if (created) undo(std::move(image));
  return done.error();
}

void RbdOpening::undo(std::unique_ptr<RbdImage> image) const {
  const Librbd& librbd = image->librbd();
  if (image->image_ != nullptr) librbd.rbd_close(std::exchange(image->image_, nullptr));
  if (options_.create) librbd.rbd_remove(image->pool().get(), options_.image.c_str());
}

}  // namespace blockhaul
