#include "volume/rbd_images.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <system_error>
#include <thread>

#include "volume/rbd_snapshots.h"
#include "volume/rbd_task.h"
#include "volume/rbd_watchers.h"

namespace blockhaul {
namespace {

/// Images whose headers are read at once.
constexpr unsigned kOpenAtOnce = 8;

RbdOpenOptions options_of(const RbdPlace& place, const std::string& image, bool writable = false) {
  RbdOpenOptions options;
  static_cast<RbdPlace&>(options) = place;
  options.image = image;
  options.writable = writable;
  return options;
}

struct NamedImage {
  std::string name;
  std::string id;
};

Result<std::vector<NamedImage>> list_named(const RbdPool& pool) {
  const Librbd& librbd = pool.librbd();
  if (librbd.rbd_list2 == nullptr || librbd.rbd_image_spec_list_cleanup == nullptr) {
    return Error{.number = ENOTSUP,
                 .message = "librbd " + librbd.version() + " is too old to list images"};
  }
  std::vector<rbd_image_spec_t> found(256);
  int result = 0;
  std::size_t count = 0;
  do {
    count = found.size();
    result = librbd.rbd_list2(pool.get(), found.data(), &count);
    if (result == -ERANGE) found.resize(std::max(count, found.size() * 2));
  } while (result == -ERANGE);
  if (result == -ENOENT) count = 0;  // nothing was ever made there
  if (result < 0 && result != -ENOENT) {
    return pool.failed(result, "list the images of pool " + quoted(pool.place().pool));
  }
  std::vector<NamedImage> images;
  for (std::size_t i = 0; i < count; ++i)
    images.push_back({.name = found[i].name, .id = found[i].id});
  if (count > 0) librbd.rbd_image_spec_list_cleanup(found.data(), count);
  return images;
}

Result<std::vector<std::string>> list_names(const RbdPool& pool) {
  auto images = list_named(pool);
  if (!images) return images.error();
  std::vector<std::string> names;
  for (NamedImage& image : images.value()) names.push_back(std::move(image.name));
  return names;
}

/// Whether the pool's directory says that a name is an image's of that id, with or without a
/// header.
Status check_listed(const RbdPool& pool, const std::string& name, const std::string& id) {
  auto images = list_named(pool);
  if (!images) return images.error();
  const auto is_it = [&](const NamedImage& one) { return one.name == name && one.id == id; };
  const bool found = std::any_of(images.value().begin(), images.value().end(), is_it);
  return found ? success() : pool.not_found(name);
}

/// Reads the sizes of images, several at once.
class SizeReader {
 public:
  SizeReader(const RbdPool& pool, Pulse& pulse, std::vector<std::string> names)
      : pool_(pool), pulse_(pulse), names_(std::move(names)) {}

  Result<std::vector<RbdListedImage>> read() {
    std::vector<std::thread> threads;
    const auto most = std::min<std::size_t>(kOpenAtOnce, names_.size());
    try {
      for (std::size_t i = 1; i < most; ++i) threads.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // Those that there are, and this one, do all of it.
    }
    work();
    for (std::thread& thread : threads) thread.join();
    if (failure_) return *failure_;
    std::sort(images_.begin(), images_.end(),
              [](const auto& one, const auto& other) { return one.name < other.name; });
    return std::move(images_);
  }

 private:
  void work() {
    for (std::size_t i = next_++; i < names_.size(); i = next_++) {
      auto size = size_of(names_[i]);
      pulse_.beat();
      const std::lock_guard lock(mutex_);
      if (failure_) return;
      if (size) {
        images_.push_back({.name = names_[i], .size = size.value()});
      } else if (size.error().number != ENOENT) {
        failure_ = size.error();
      }
    }
  }

  [[nodiscard]] Result<std::uint64_t> size_of(const std::string& name) const {
    const Librbd& librbd = pool_.librbd();
    rbd_image_t image = nullptr;
    rbd_image_info_t info{};
    int result = librbd.rbd_open_read_only(pool_.get(), name.c_str(), &image, nullptr);
    if (result >= 0) {
      result = librbd.rbd_stat(image, &info, sizeof info);
      librbd.rbd_close(image);
    }
    if (result < 0) return pool_.failed(result, "open image " + quoted(name));
    return info.size;
  }

  const RbdPool& pool_;
  Pulse& pulse_;
  const std::vector<std::string> names_;
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  // Guarded by mutex_:
  std::vector<RbdListedImage> images_;
  std::optional<Error> failure_;
};

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

/// Why an image is not to be removed, in words; "" where nothing is seen that speaks against it.
Result<std::string> users_of(const RbdImage& image) {
  auto snapshots = all_snapshots(image);
  if (!snapshots) return snapshots.error();
  std::vector<std::string> names;
  std::size_t hidden = 0;
  for (const RbdSnapshot& snapshot : snapshots.value()) {
    if (snapshot.is_users) {
      names.push_back(quoted(snapshot.name));
    } else {
      ++hidden;
    }
  }
  if (!names.empty()) return "it has snapshots, which would go with it: " + joined(names);
  if (hidden > 0) {
    return "it has " + std::to_string(hidden) +
           " snapshots that a clone, a group or a mirror still needs";
  }
  if (image.librbd().rbd_watchers_list == nullptr) return std::string();
  auto watchers = list_watchers(image);
  if (!watchers) return watchers.error();
  std::vector<std::string> clients;
  for (const Watcher& watcher : watchers.value()) {
    clients.push_back(watcher.client + " at " + watcher.address +
                      (watcher.own ? " (this process)" : ""));
  }
  return clients.empty() ? std::string() : "it is open for writing by " + joined(clients);
}

Error in_use(std::string why) { return Error{.number = EBUSY, .message = std::move(why)}; }

/// Looks before anything is asked for: librbd would first take the exclusive lock from whoever has
/// it. An image whose header is gone is what a removal left that was cut short: it is gone on with.
Status check_unused(const RbdPool& pool, const std::string& name, const std::string& id) {
  auto opening = RbdOpening::prepare(options_of(pool.place(), name));
  if (!opening) return opening.error();
  auto image = opening.value().run(pool.shared_cluster());
  if (!image) {
    if (image.error().number != ENOENT) return image.error();
    return id.empty() ? success() : check_listed(pool, name, id);
  }
  if (!id.empty() && image.value()->facts().id != id) return pool.not_found(name);
  auto users = users_of(*image.value());
  if (!users) return users.error();
  return users.value().empty() ? success() : in_use(users.value());
}

Status remove_unused(const RbdPool& pool, Pulse& pulse, const std::string& name,
                     const std::string& id) {
  if (Status unused = check_unused(pool, name, id); !unused) return unused;
  // Whoever was told that it failed must not lose the image later.
  if (pulse.is_given_up()) return rbd_given_up();
  pulse.beat();
  const int result =
      pool.librbd().rbd_remove_with_progress(pool.get(), name.c_str(), &beat_pulse, &pulse);
  if (result >= 0) return success();
  if (result == -ENOENT) return pool.not_found(name);
  if (result == -EBUSY || result == -ENOTEMPTY) {
    // Somebody came in between.
    if (Status unused = check_unused(pool, name, id); !unused) return unused;
    return in_use("somebody uses it");
  }
  if (result == -EMLINK) return in_use("it belongs to a group of images");
  return pool.failed(result, "remove image " + quoted(name));
}

/// A change that was given up in the middle of librbd's call.
Status in_doubt(Status done) {
  if (!done && done.error().code == "ERR_UNREACHABLE") {
    done.error().message += "; what was asked may still be done once it does";
  }
  return done;
}

}  // namespace

Result<std::vector<RbdListedImage>> list_images(const RbdPlace& place) {
  using Images = std::vector<RbdListedImage>;
  return in_pool<Images>(place, [](const RbdPool& pool, Pulse& pulse) -> Result<Images> {
    auto names = list_names(pool);
    if (!names) return names.error();
    if (names.value().empty() && !pool.has_namespace()) return pool.no_namespace();
    return SizeReader(pool, pulse, std::move(names.value())).read();
  });
}

Status remove_image(const RbdPlace& place, const std::string& image, const std::string& id) {
  return in_doubt(in_pool<std::monostate>(place, [=](const RbdPool& pool, Pulse& pulse) {
    return remove_unused(pool, pulse, image, id);
  }));
}

Status rename_image(const RbdPlace& place, const std::string& image, const std::string& renamed) {
  // It is opened to see that the storage answers: a call that hangs might rename it much later.
  const auto rename = [=](const RbdImage& open, Pulse&) -> Status {
    const RbdPool& pool = open.pool();
    const int result = pool.librbd().rbd_rename(pool.get(), image.c_str(), renamed.c_str());
    if (result >= 0) return success();
    if (result == -ENOENT) return pool.not_found(image);
    if (result == -EEXIST) {
      return Error{.number = EEXIST, .message = "image " + quoted(renamed) + " exists already"};
    }
    return pool.failed(result, "rename image " + quoted(image));
  };
  return in_doubt(with_image<std::monostate>(options_of(place, image), rename));
}

Status resize_image(const RbdPlace& place, const std::string& image, std::uint64_t size) {
  const auto resize = [=](const RbdImage& open, Pulse& pulse) -> Status {
    const std::uint64_t now = open.facts().size;
    if (size == now) return success();
    if (size < now) {
      return Error{.number = EINVAL,
                   .message = "it has " + std::to_string(now) + " bytes, and what lies behind " +
                              std::to_string(size) + " would be lost"};
    }
    const int result =
        open.librbd().rbd_resize2(open.get(), size, /*allow_shrink=*/false, &beat_pulse, &pulse);
    if (result < 0) return open.pool().failed(result, "resize image " + quoted(image));
    return success();
  };
  return in_doubt(with_image<std::monostate>(options_of(place, image, true), resize));
}

}  // namespace blockhaul
