#pragma once

#include <rados/librados.h>
#include <rbd/librbd.h>

#include <string>

#include "core/result.h"

namespace blockhaul {

// What is called of librados and librbd: those without which nothing works, and those that older
// releases lack.
#define BLOCKHAUL_LIBRBD_REQUIRED(X) \
  X(rados_create2)                   \
  X(rados_conf_read_file)            \
  X(rados_conf_parse_env)            \
  X(rados_conf_set)                  \
  X(rados_conf_get)                  \
  X(rados_connect)                   \
  X(rados_shutdown)                  \
  X(rados_cluster_fsid)              \
  X(rados_pool_lookup)               \
  X(rados_pool_reverse_lookup)       \
  X(rados_ioctx_create)              \
  X(rados_ioctx_destroy)             \
  X(rados_ioctx_set_namespace)       \
  X(rados_ioctx_get_id)              \
  X(rados_get_instance_id)           \
  X(rados_mon_command)               \
  X(rados_exec)                      \
  X(rados_buffer_free)               \
  X(rbd_version)                     \
  X(rbd_image_options_create)        \
  X(rbd_image_options_destroy)       \
  X(rbd_image_options_set_string)    \
  X(rbd_image_options_set_uint64)    \
  X(rbd_create4)                     \
  X(rbd_clone3)                      \
  X(rbd_flatten_with_progress)       \
  X(rbd_remove)                      \
  X(rbd_remove_with_progress)        \
  X(rbd_rename)                      \
  X(rbd_resize2)                     \
  X(rbd_open)                        \
  X(rbd_open_read_only)              \
  X(rbd_close)                       \
  X(rbd_stat)                        \
  X(rbd_get_id)                      \
  X(rbd_get_features)                \
  X(rbd_get_flags)                   \
  X(rbd_get_overlap)                 \
  X(rbd_get_stripe_unit)             \
  X(rbd_get_stripe_count)            \
  X(rbd_get_data_pool_id)            \
  X(rbd_metadata_list)               \
  X(rbd_metadata_set)                \
  X(rbd_snap_create)                 \
  X(rbd_snap_remove)                 \
  X(rbd_snap_is_protected)           \
  X(rbd_snap_list)                   \
  X(rbd_snap_list_end)               \
  X(rbd_snap_get_id)                 \
  X(rbd_diff_iterate2)               \
  X(rbd_aio_create_completion)       \
  X(rbd_aio_get_return_value)        \
  X(rbd_aio_release)                 \
  X(rbd_aio_read)                    \
  X(rbd_aio_write)                   \
  X(rbd_aio_flush)

#define BLOCKHAUL_LIBRBD_OPTIONAL(X)                \
  X(rados_set_pool_full_try)           /* 16 */     \
  X(rbd_aio_write_zeroes)              /* 15.2.5 */ \
  X(rbd_list2)                         /* 14 */     \
  X(rbd_image_spec_list_cleanup)       /* 14 */     \
  X(rbd_namespace_exists)              /* 14 */     \
  X(rbd_snap_get_namespace_type)       /* 13 */     \
  X(rbd_get_op_features)               /* 13 */     \
  X(rbd_get_parent)                    /* 14 */     \
  X(rbd_linked_image_spec_cleanup)     /* 14 */     \
  X(rbd_snap_spec_cleanup)             /* 14 */     \
  X(rbd_open_by_id_read_only)          /* 12.2 */   \
  X(rbd_snap_set_by_id)                /* 14 */     \
  X(rbd_watchers_list)                 /* 12.2 */   \
  X(rbd_watchers_list_cleanup)         /* 12.2 */   \
  X(rbd_get_group)                     /* 13 */     \
  X(rbd_group_info_cleanup)            /* 13 */     \
  X(rbd_mirror_image_get_info)         /* 10 */     \
  X(rbd_mirror_image_get_info_cleanup) /* 15 */     \
  X(rbd_config_image_list)             /* 14 */     \
  X(rbd_config_image_list_cleanup)     /* 14 */

/// The C API of librbd and librados, found at run time: one binary serves hosts with and without
/// Ceph. Each member is the function of that name; optional ones may be null.
struct Librbd {
#define BLOCKHAUL_LIBRBD_MEMBER(name) decltype(&::name) name = nullptr;
  BLOCKHAUL_LIBRBD_REQUIRED(BLOCKHAUL_LIBRBD_MEMBER)
  BLOCKHAUL_LIBRBD_OPTIONAL(BLOCKHAUL_LIBRBD_MEMBER)
#undef BLOCKHAUL_LIBRBD_MEMBER

  int major = 0;  ///< of librbd: 1.16 came with Ceph 16, 1.17 with 17, and so on
  int minor = 0;
  int extra = 0;

  /// The library, loaded at the first call that finds it and never unloaded; a failure is tried
  /// anew at the next. Any thread. Fails with ERR_DRIVER_UNAVAILABLE.
  ///
  /// BLOCKHAUL_LIBRBD names another file than librbd.so.1. BLOCKHAUL_LIBRBD_ANYWAY=1 goes on where
  /// librbd and this process were built for OpenSSLs of different majors (see librbd.cc).
  static Result<const Librbd*> load();

  /// "1.16.0"
  [[nodiscard]] std::string version() const;
};

}  // namespace blockhaul
