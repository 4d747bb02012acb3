#include "addon/rbd_control.h"

#include "addon/arguments.h"
#include "addon/extents.h"
#include "addon/promise.h"
#include "addon/rbd_arguments.h"
#include "volume/rbd_changes.h"
#include "volume/rbd_images.h"
#include "volume/rbd_inspect.h"
#include "volume/rbd_room.h"
#include "volume/rbd_snapshots.h"

namespace blockhaul {
namespace {

Napi::Object first_argument(const Napi::CallbackInfo& call) { return call[0].As<Napi::Object>(); }

/// A promise of nothing.
Napi::Value promise_of_done(Napi::Env env, const std::string& path, std::function<Status()> work) {
  return promise_of<std::monostate>(
      env, "rbd:" + path, std::move(work),
      [](Napi::Env js, std::monostate&) -> Napi::Value { return js.Undefined(); });
}

/// A promise of a list of objects.
template <typename Item>
Napi::Value promise_of_list(Napi::Env env, const std::string& path,
                            std::function<Result<std::vector<Item>>()> work,
                            void (*fill)(Napi::Object&, const Item&)) {
  return promise_of<std::vector<Item>>(
      env, "rbd:" + path, std::move(work),
      [fill](Napi::Env js, std::vector<Item>& items) -> Napi::Value {
        Napi::Array list = Napi::Array::New(js, items.size());
        for (std::uint32_t i = 0; i < items.size(); ++i) {
          Napi::Object object = Napi::Object::New(js);
          fill(object, items[i]);
          list.Set(i, object);
        }
        return list;
      });
}

Napi::Value to_js(Napi::Env env, const RbdInspection& found) {
  Napi::Array features = Napi::Array::New(env, found.features.size());
  for (std::uint32_t i = 0; i < found.features.size(); ++i) features.Set(i, found.features[i]);
  Napi::Object object = Napi::Object::New(env);
  object.Set("fsid", found.fsid);
  object.Set("id", found.id);
  object.Set("size", to_number(env, found.size));
  object.Set("features", features);
  return object;
}

}  // namespace

Napi::Value rbd_list(const Napi::CallbackInfo& call) {
  const RbdPlace place = rbd_place(first_argument(call));
  return promise_of_list<RbdListedImage>(
      call.Env(), place.path(), [place] { return list_images(place); },
      [](Napi::Object& object, const RbdListedImage& image) {
        object.Set("name", image.name);
        object.Set("size", to_number(object.Env(), image.size));
      });
}

Napi::Value rbd_usage(const Napi::CallbackInfo& call) {
  const RbdPlace place = rbd_place(first_argument(call));
  return promise_of<std::string>(
      call.Env(), "rbd:" + place.path(), [place] { return cluster_usage(place); },
      [](Napi::Env env, std::string& text) -> Napi::Value { return Napi::String::New(env, text); });
}

Napi::Value rbd_facts(const Napi::CallbackInfo& call) {
  const RbdOpenOptions options = rbd_image(first_argument(call));
  return promise_of<RbdInspection>(
      call.Env(), "rbd:" + options.path(), [options] { return inspect_image(options); },
      [](Napi::Env env, RbdInspection& found) { return to_js(env, found); });
}

Napi::Value rbd_remove(const Napi::CallbackInfo& call) {
  const RbdOpenOptions options = rbd_image(first_argument(call));
  return promise_of_done(call.Env(), options.path(),
                         [options] { return remove_image(options, options.image); });
}

Napi::Value rbd_rename(const Napi::CallbackInfo& call) {
  const RbdOpenOptions options = rbd_image(first_argument(call));
  const std::string renamed = string_value(call[1], "name");
  return promise_of_done(call.Env(), options.path(), [options, renamed] {
    return rename_image(options, options.image, renamed);
  });
}

Napi::Value rbd_resize(const Napi::CallbackInfo& call) {
  const RbdOpenOptions options = rbd_image(first_argument(call));
  const std::uint64_t size = whole_number(call[1], "size");
  return promise_of_done(call.Env(), options.path(),
                         [options, size] { return resize_image(options, options.image, size); });
}

Napi::Value rbd_take_snapshot(const Napi::CallbackInfo& call) {
  const RbdOpenOptions options = rbd_image(first_argument(call));
  return promise_of_done(call.Env(), options.path(),
                         [options] { return create_snapshot(options); });
}

Napi::Value rbd_drop_snapshot(const Napi::CallbackInfo& call) {
  const RbdOpenOptions options = rbd_image(first_argument(call));
  return promise_of_done(call.Env(), options.path(),
                         [options] { return remove_snapshot(options); });
}

Napi::Value rbd_snapshots(const Napi::CallbackInfo& call) {
  const RbdOpenOptions options = rbd_image(first_argument(call));
  return promise_of_list<RbdSnapshot>(
      call.Env(), options.path(), [options] { return list_snapshots(options); },
      [](Napi::Object& object, const RbdSnapshot& snapshot) {
        object.Set("name", snapshot.name);
        object.Set("size", to_number(object.Env(), snapshot.size));
        if (!snapshot.in_use.empty()) object.Set("inUse", snapshot.in_use);
      });
}

Napi::Value rbd_changes(const Napi::CallbackInfo& call) {
  const RbdOpenOptions options = rbd_image(first_argument(call));
  const std::string snapshot = string_value(call[1], "snapshot");
  return promise_of<std::vector<Extent>>(
      call.Env(), "rbd:" + options.path(),
      [options, snapshot] { return changes_since(options, snapshot); },
      [](Napi::Env env, std::vector<Extent>& extents) { return to_js(env, extents); });
}

}  // namespace blockhaul
