#include "addon/rbd_control.h"

#include "addon/arguments.h"
#include "addon/extents.h"
#include "addon/promise.h"
#include "addon/rbd_arguments.h"
#include "addon/texts.h"
#include "volume/rbd_changeable.h"
#include "volume/rbd_changes.h"
#include "volume/rbd_images.h"
#include "volume/rbd_inspect.h"
#include "volume/rbd_map_check.h"
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

Napi::Value facts_to_js(Napi::Env env, const RbdInspection& found) {
  Napi::Array meta = Napi::Array::New(env, found.meta.size());
  for (std::uint32_t i = 0; i < found.meta.size(); ++i) {
    meta.Set(i, to_js(env, std::vector{found.meta[i].first, found.meta[i].second}));
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("fsid", found.fsid);
  object.Set("id", found.id);
  object.Set("size", to_number(env, found.size));
  object.Set("features", to_js(env, found.features));
  object.Set("objectSize", to_number(env, found.object_size));
  object.Set("stripeUnit", to_number(env, found.stripe_unit));
  object.Set("stripeCount", to_number(env, found.stripe_count));
  object.Set("dataPool", found.data_pool);
  object.Set("meta", meta);
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

Napi::Value rbd_place_id(const Napi::CallbackInfo& call) {
  const RbdPlace place = rbd_place(first_argument(call));
  return promise_of<std::string>(
      call.Env(), "rbd:" + place.path(), [place] { return inspect_place(place); },
      [](Napi::Env env, std::string& text) -> Napi::Value { return Napi::String::New(env, text); });
}

Napi::Value rbd_facts(const Napi::CallbackInfo& call) {
  const RbdOpenOptions options = rbd_image(first_argument(call));
  return promise_of<RbdInspection>(
      call.Env(), "rbd:" + options.path(), [options] { return inspect_image(options); },
      [](Napi::Env env, RbdInspection& found) { return facts_to_js(env, found); });
}

Napi::Value rbd_remove(const Napi::CallbackInfo& call) {
  const RbdOpenOptions options = rbd_image(first_argument(call));
  const std::string id = call[1].IsUndefined() ? "" : string_value(call[1], "id");
  return promise_of_done(call.Env(), options.path(),
                         [options, id] { return remove_image(options, options.image, id); });
}

Napi::Value rbd_check_change(const Napi::CallbackInfo& call) {
  const RbdOpenOptions options = rbd_image(first_argument(call));
  const std::string what = string_value(call[1], "change");
  const RbdChange change = what == "delete"   ? RbdChange::remove
                           : what == "rename" ? RbdChange::rename
                                              : RbdChange::snapshot;
  return promise_of_done(call.Env(), options.path(),
                         [options, change] { return check_changeable(options, change); });
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

Napi::Value rbd_check_maps(const Napi::CallbackInfo& call) {
  const RbdOpenOptions options = rbd_image(first_argument(call));
  const bool with_own = call[1].ToBoolean();
  return promise_of_done(call.Env(), options.path(),
                         [options, with_own] { return check_object_maps(options, with_own); });
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
