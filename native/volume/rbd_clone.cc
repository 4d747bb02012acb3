#include "volume/rbd_clone.h"

#include "volume/rbd_images.h"
#include "volume/rbd_task.h"

namespace blockhaul {
namespace {

/// Of clones: one whose snapshot needs no protection, and may be removed while it has clones.
constexpr std::uint64_t kCloneFormat = 2;

/// One clone, from the look at its source to a target that needs it no more.
class Cloning {
 public:
  Cloning(RbdCloneOptions options, std::shared_ptr<RbdCloneControl> control)
      : options_(std::move(options)), control_(std::move(control)) {}

  Status run() {
    if (control_->is_cancelled) return cancelled();
    auto librbd = Librbd::load();
    if (!librbd) return librbd.error();
    // One connection for all of it: it is kept, and found again.
    auto cluster = RadosCluster::connect(*librbd.value(), options_.target.connection);
    if (!cluster) return cluster.error();
    if (Status made = make(); !made) return made;
    Status done = flatten();
    if (done && control_->is_cancelled) done = cancelled();
    if (done) return done;
    return done.error().code == "ERR_UNREACHABLE" ? given_up(done.error())
                                                  : removed_after(done.error());
  }

 private:
  /// What the thread that flattens leaves behind, for whoever comes after it.
  struct Flattening {
    std::string id;  ///< the target's; "" where that could not be opened
  };

  static Error cancelled() {
    return Error{.number = ECANCELED, .message = "stopped on request", .code = "ERR_CANCELLED"};
  }

  /// Makes the clone, which shares everything with its source.
  [[nodiscard]] Status make() const {
    const RbdCloneOptions options = options_;
    return with_image<std::monostate>(
        options.source,
        [options](const RbdImage& source, Pulse&) { return clone(source, options); },
        [options](const Status& late) {
          if (late) (void)remove_image(options.target, options.target.image).ok();
        });
  }

  static Status clone(const RbdImage& source, const RbdCloneOptions& options) {
    const RbdOpenOptions& target = options.target;
    const std::uint64_t size = source.facts().size;
    if (size != target.create->size) {
      return Error{.number = EINVAL,
                   .message = "the source has " + std::to_string(size) + " bytes, and not " +
                              std::to_string(target.create->size) + " any more"};
    }
    auto pool = RbdPool::open(source.pool().shared_cluster(), target);
    if (!pool) return pool.error();
    RbdImageOptions wanted(source.librbd());
    if (Status set = wanted.set(*target.create, *pool.value()); !set) return set;
    wanted.set(RBD_IMAGE_OPTION_CLONE_FORMAT, kCloneFormat);
    if (target.create->order && target.create->stripe_unit == 0) {
      // Else it has the stripes of its source, which need not fit into such objects.
      wanted.set(RBD_IMAGE_OPTION_STRIPE_UNIT, std::uint64_t{1} << *target.create->order);
      wanted.set(RBD_IMAGE_OPTION_STRIPE_COUNT, 1);
    }
    const int result = source.librbd().rbd_clone3(
        source.pool().get(), options.source.image.c_str(), options.source.snapshot->c_str(),
        pool.value()->get(), target.image.c_str(), wanted.get());
    if (result >= 0) return success();
    if (result == -EEXIST) {
      return Error{.number = EEXIST,
                   .message = "image " + quoted(target.image) + " exists already"};
    }
    if (result == -ENOENT && !pool.value()->has_namespace()) return pool.value()->no_namespace();
    return pool.value()->failed(result, "clone to image " + quoted(target.image));
  }

  /// Copies into the clone what it shares, and parts it from its source.
  Status flatten() {
    RbdOpenOptions target = options_.target;
    const std::uint64_t size = target.create->size;
    target.create.reset();
    target.writable = true;
    return with_image<std::monostate>(
        target,
        [control = control_, state = flattening_, size](const RbdImage& image, Pulse& pulse) {
          state->id = image.facts().id;
          return flatten_image(image, Watch{*control, pulse, size});
        },
        [state = flattening_, target](const Status&) {
          (void)remove_image(target, target.image, state->id).ok();
        });
  }

  struct Watch {
    RbdCloneControl& control;
    Pulse& pulse;
    std::uint64_t size;

    /// librbd tells of each object that it begins, and stops where the answer is an error.
    static int progress(std::uint64_t objects, std::uint64_t total, void* context) noexcept {
      const Watch& watch = *static_cast<Watch*>(context);
      watch.pulse.beat();
      if (total > 0) {
        const double part = static_cast<double>(objects) / static_cast<double>(total);
        watch.control.done = static_cast<std::uint64_t>(static_cast<double>(watch.size) * part);
      }
      return watch.control.is_cancelled ? -ECANCELED : 0;
    }
  };

  static Status flatten_image(const RbdImage& image, Watch watch) {
    const Librbd& librbd = image.librbd();
    if (image.facts().size != watch.size) {
      return Error{.number = EIO, .message = "the clone has another size than its source"};
    }
    int result = librbd.rbd_flatten_with_progress(image.get(), &Watch::progress, &watch);
    if (result < 0 && watch.control.is_cancelled) return cancelled();
    if (result < 0) return image.pool().failed(result, "flatten the clone");
    std::uint64_t overlap = 0;
    result = librbd.rbd_get_overlap(image.get(), &overlap);
    if (result < 0) return image.pool().failed(result, "look whether the clone is flat");
    if (overlap != 0) return Error{.number = EIO, .message = "the clone still has a parent"};
    watch.control.done = watch.size;
    return success();
  }

  /// The thread that flattens hangs; once it does not any more, it stops and removes the target.
  [[nodiscard]] Status given_up(Error error) const {
    control_->is_cancelled = true;
    error.message += "; once it does, " + quoted(options_.target.image) + " is removed";
    return error;
  }

  [[nodiscard]] Status removed_after(Error error) const {
    const Status removed = remove_image(options_.target, options_.target.image, flattening_->id);
    if (removed || removed.error().number == ENOENT) return error;
    error.message += "; and what was made of " + quoted(options_.target.image) +
                     " could not be removed: " + removed.error().message;
    return error;
  }

  const RbdCloneOptions options_;
  const std::shared_ptr<RbdCloneControl> control_;
  const std::shared_ptr<Flattening> flattening_ = std::make_shared<Flattening>();
};

}  // namespace

Status clone_snapshot(const RbdCloneOptions& options,
                      const std::shared_ptr<RbdCloneControl>& control) {
  return Cloning(options, control).run();
}

}  // namespace blockhaul
