#include "addon/rbd_arguments.h"

#include "addon/arguments.h"

namespace blockhaul {
namespace {

CephConnection ceph_connection(const Napi::Object& object) {
  CephConnection connection;
  connection.cluster = string_field(object, "cluster");
  connection.name = string_field(object, "name");
  connection.conf = optional_string(object, "conf");
  const auto overrides = object.Get("overrides").As<Napi::Object>();
  const Napi::Array names = overrides.GetPropertyNames();
  for (std::uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = names.Get(i).As<Napi::String>();
    connection.overrides[name] = string_field(overrides, name.c_str());
  }
  return connection;
}

std::vector<std::string> strings(const Napi::Array& list) {
  std::vector<std::string> texts;
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    texts.push_back(list.Get(i).As<Napi::String>());
  }
  return texts;
}

RbdMeta pairs(const Napi::Array& list) {
  RbdMeta meta;
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const std::vector<std::string> pair = strings(list.Get(i).As<Napi::Array>());
    meta.emplace_back(pair.at(0), pair.at(1));
  }
  return meta;
}

}  // namespace

RbdPlace rbd_place(const Napi::Object& object) {
  RbdPlace place;
  place.connection = ceph_connection(object.Get("connection").As<Napi::Object>());
  place.pool = string_field(object, "pool");
  place.name_space = string_field(object, "namespace");
  return place;
}

RbdOpenOptions rbd_image(const Napi::Object& object) {
  RbdOpenOptions options;
  static_cast<RbdPlace&>(options) = rbd_place(object);
  options.image = string_field(object, "image");
  options.snapshot = optional_string(object, "snapshot");
  return options;
}

RbdCreateOptions rbd_create_options(const Napi::Object& object) {
  RbdCreateOptions create;
  create.size = number_field(object, "size");
  if (const auto order = optional_number(object, "order")) {
    create.order = static_cast<unsigned>(*order);
  }
  if (const Napi::Value features = object.Get("features"); features.IsArray()) {
    create.features = strings(features.As<Napi::Array>());
  }
  create.data_pool = optional_string(object, "dataPool").value_or("");
  create.stripe_unit = optional_number(object, "stripeUnit").value_or(0);
  create.stripe_count = optional_number(object, "stripeCount").value_or(0);
  if (const Napi::Value meta = object.Get("meta"); meta.IsArray()) {
    create.meta = pairs(meta.As<Napi::Array>());
  }
  return create;
}

}  // namespace blockhaul
