#include "volume/rados_handle.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "volume/rados_conf.h"

namespace blockhaul {
namespace {

std::atomic<unsigned> alive{0};

void exit_past_librados(int status, void*) {
  if (alive.load() == 0) return;
  std::fflush(nullptr);
  ::_exit(status);
}

std::string errno_text(int result) { return std::generic_category().message(-result); }

/// Why rados_connect() failed, in words that say what to look at.
Error connect_error(const RadosConf& conf, const std::string& name, std::chrono::seconds patience,
                    int result) {
  const std::string monitors = conf.get("mon_host");
  Error error{.number = -result, .message = {}};
  switch (-result) {
    case ETIMEDOUT:
      error.code = "ERR_UNREACHABLE";
      error.message = "no monitor" + (monitors.empty() ? "" : " of " + monitors) +
                      " answered within " + std::to_string(patience.count()) + " s";
      return error;
    case EACCES:
    case EPERM:
    case EKEYREJECTED:
    case EOPNOTSUPP:  // no method of authentication that both sides would use
      error.code = "ERR_AUTHENTICATION";
      error.message = conf.missing_key(name);
      if (error.message.empty())
        error.message = "the cluster refuses " + name + ": a wrong key, or no such user";
      return error;
    case EIO:  // what librados says of a keyring that it cannot make sense of
    case EISDIR:
      error.code = "ERR_AUTHENTICATION";
      error.message = conf.missing_key(name);
      if (error.message.empty())
        error.message =
            "the key of " + name + " is malformed, in the keyring " + conf.get("keyring");
      return error;
    case EINVAL:
      if (const std::string file = conf.get("keyfile"); !file.empty()) {
        error.code = "ERR_AUTHENTICATION";
        error.message = "the key of " + name + " is malformed, in the key file " + file;
      } else {
        error.code = "ERR_UNREACHABLE";
        error.message = "no monitor's address can be made of \"" + monitors + "\" (mon_host)";
      }
      return error;
    case ENOENT:
      if (monitors.empty()) {
        error.message = "no monitor is known: the Ceph configuration names no mon_host";
      } else if (const std::string reason = conf.missing_key(name); !reason.empty()) {
        error.code = "ERR_AUTHENTICATION";
        error.message = reason;
      } else {
        error.message = "no monitor was found at " + monitors;
      }
      return error;
    default:
      error.message = "connect to the cluster: " + errno_text(result);
      return error;
  }
}

}  // namespace

RadosHandle::RadosHandle(const Librbd& librbd) : librbd_(&librbd) {
  ++alive;
  reached(Stage::loaded);
}

void RadosHandle::reached(Stage stage) {
  // Handlers and destructors run in the reverse order of their registration. Some of librados and
  // of OpenSSL register at load, others at their first use, so this one has to come after each of
  // these.
  static std::array<std::once_flag, 3> registered;
  std::call_once(registered[static_cast<std::size_t>(stage)],
                 [] { ::on_exit(exit_past_librados, nullptr); });
}

RadosHandle::~RadosHandle() {
  if (librbd_ == nullptr) return;
  if (handle_ != nullptr) librbd_->rados_shutdown(handle_);
  --alive;
}

Result<RadosHandle> RadosHandle::connect(const Librbd& librbd, const CephConnection& connection) {
  RadosHandle handle(librbd);
  const int result =
      librbd.rados_create2(&handle.handle_, connection.cluster.c_str(), connection.name.c_str(), 0);
  if (result < 0) handle.handle_ = nullptr;
  if (result == -EINVAL) {
    return Error{.number = EINVAL,
                 .message = "\"" + connection.name + "\" is no Ceph user: say client.NAME"};
  }
  if (result < 0) return Error{.number = -result, .message = "librados: " + errno_text(result)};

  const RadosConf conf(librbd, handle.get());
  if (Status read = conf.read(connection); !read) return read.error();
  handle.patience_ = conf.patience();
  if (const int connected = librbd.rados_connect(handle.get()); connected < 0) {
    return connect_error(conf, connection.name, handle.patience_, connected);
  }
  reached(Stage::connected);
  return handle;
}

}  // namespace blockhaul
