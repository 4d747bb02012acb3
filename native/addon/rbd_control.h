#pragma once

#include "addon/node_api.h"

namespace blockhaul {

// What is done with RBD images beside opening them; each function gives a promise, and
// src/native.ts says what of.

Napi::Value rbd_list(const Napi::CallbackInfo& call);
Napi::Value rbd_usage(const Napi::CallbackInfo& call);
Napi::Value rbd_place_id(const Napi::CallbackInfo& call);
Napi::Value rbd_facts(const Napi::CallbackInfo& call);
Napi::Value rbd_remove(const Napi::CallbackInfo& call);
Napi::Value rbd_check_change(const Napi::CallbackInfo& call);
Napi::Value rbd_rename(const Napi::CallbackInfo& call);
Napi::Value rbd_resize(const Napi::CallbackInfo& call);
Napi::Value rbd_take_snapshot(const Napi::CallbackInfo& call);
Napi::Value rbd_drop_snapshot(const Napi::CallbackInfo& call);
Napi::Value rbd_snapshots(const Napi::CallbackInfo& call);
Napi::Value rbd_check_maps(const Napi::CallbackInfo& call);
Napi::Value rbd_changes(const Napi::CallbackInfo& call);

/// Gives at once an object to watch and stop it by.
Napi::Value rbd_clone_snapshot(const Napi::CallbackInfo& call);

}  // namespace blockhaul
