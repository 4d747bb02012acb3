#include "addon/copy_handle.h"
#include "addon/environment.h"
#include "addon/file_attributes.h"
#include "addon/file_hold.h"
#include "addon/file_lock.h"
#include "addon/journal_handle.h"
#include "addon/open.h"
#include "addon/path_look.h"
#include "addon/process_scan.h"
#include "addon/rbd_control.h"
#include "addon/region_lock.h"
#include "addon/scsi_commands.h"
#include "addon/secret_handle.h"
#include "addon/status.h"
#include "addon/volume_handle.h"
#include "core/zero.h"

namespace blockhaul {
namespace {

Napi::Value set_error_factory(const Napi::CallbackInfo& call) {
  Environment::of(call.Env()).error_factory = Napi::Persistent(call[0].As<Napi::Function>());
  return call.Env().Undefined();
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  Environment::attach(env);
  VolumeHandle::define(env);
  CopyHandle::define(env);
  FileHoldHandle::define(env);
  FileLockHandle::define(env);
  JournalHandle::define(env);
  RegionLockHandle::define(env);
  SecretHandle::define(env);
  exports.Set("zeroDetection", std::string(is_zero_version()));
  exports.Set("setErrorFactory", Napi::Function::New<set_error_factory>(env));
  exports.Set("openPosix", Napi::Function::New<open_posix>(env));
  exports.Set("openRbd", Napi::Function::New<open_rbd>(env));
  exports.Set("rbdList", Napi::Function::New<rbd_list>(env));
  exports.Set("rbdUsage", Napi::Function::New<rbd_usage>(env));
  exports.Set("rbdPlaceId", Napi::Function::New<rbd_place_id>(env));
  exports.Set("rbdFacts", Napi::Function::New<rbd_facts>(env));
  exports.Set("rbdRemove", Napi::Function::New<rbd_remove>(env));
  exports.Set("rbdCheckChange", Napi::Function::New<rbd_check_change>(env));
  exports.Set("rbdRename", Napi::Function::New<rbd_rename>(env));
  exports.Set("rbdResize", Napi::Function::New<rbd_resize>(env));
  exports.Set("rbdTakeSnapshot", Napi::Function::New<rbd_take_snapshot>(env));
  exports.Set("rbdDropSnapshot", Napi::Function::New<rbd_drop_snapshot>(env));
  exports.Set("rbdSnapshots", Napi::Function::New<rbd_snapshots>(env));
  exports.Set("rbdCheckMaps", Napi::Function::New<rbd_check_maps>(env));
  exports.Set("rbdChanges", Napi::Function::New<rbd_changes>(env));
  exports.Set("rbdCloneSnapshot", Napi::Function::New<rbd_clone_snapshot>(env));
  exports.Set("openSynthetic", Napi::Function::New<open_synthetic>(env));
  exports.Set("openJs", Napi::Function::New<open_js>(env));
  exports.Set("startCopy", Napi::Function::New<CopyHandle::start>(env));
  exports.Set("createJournal", Napi::Function::New<JournalHandle::create>(env));
  exports.Set("createTemporaryJournal", Napi::Function::New<JournalHandle::create_temporary>(env));
  exports.Set("openJournal", Napi::Function::New<JournalHandle::open>(env));
  exports.Set("readJournal", Napi::Function::New<JournalHandle::read>(env));
  exports.Set("holdFile", Napi::Function::New<FileHoldHandle::take>(env));
  exports.Set("renameToNew", Napi::Function::New<rename_to_new_of>(env));
  exports.Set("lockFile", Napi::Function::New<FileLockHandle::take>(env));
  exports.Set("lockRegion", Napi::Function::New<RegionLockHandle::take>(env));
  exports.Set("makeSecret", Napi::Function::New<SecretHandle::make>(env));
  exports.Set("takeFromEnvironment", Napi::Function::New<SecretHandle::take>(env));
  exports.Set("lookAtPath", Napi::Function::New<look_at_path_of>(env));
  exports.Set("keepFileAttributes", Napi::Function::New<keep_file_attributes_of>(env));
  exports.Set("syncPath", Napi::Function::New<sync_path_of>(env));
  exports.Set("reportLuns", Napi::Function::New<report_luns_of>(env));
  exports.Set("inquire", Napi::Function::New<inquire_of>(env));
  exports.Set("scanProcesses", Napi::Function::New<scan_processes_of>(env));
  exports.Set("ioStatus", Napi::Function::New<io_status>(env));
  exports.Set("librbdStatus", Napi::Function::New<librbd_status>(env));
  return exports;
}

}  // namespace
}  // namespace blockhaul

namespace {
Napi::Object initialize_addon(Napi::Env env, Napi::Object exports) {
  return blockhaul::initialize(env, exports);
}
}  // namespace

NODE_API_MODULE(blockhaul, initialize_addon)
