#include "volume/rados_handle.h"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <system_error>

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

/// What a client without a key waits for a cluster that asks for none.
constexpr std::chrono::seconds kKeylessPatience{3};

/// What connecting opens, and then some for the storage's own connections. Where it has fewer,
/// librados ends the process, or waits for answers that never come.
constexpr std::size_t kLeastDescriptors = 32;

/// Whether librados can open what it has to.
Status check_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return success();
  std::error_code error;
  std::size_t used = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    ++used;
  }
  const bool none_left = error == std::errc::too_many_files_open;
  if (error && !none_left) return success();  // without /proc, librados is asked
  if (!none_left && used + kLeastDescriptors <= limit.rlim_cur) return success();
  return Error{.number = EMFILE,
               .message = "this process may have " + std::to_string(limit.rlim_cur) +
                          " files open, and librados needs " + std::to_string(kLeastDescriptors) +
                          " more than there are now: raise `ulimit -n`"};
}

Error without_key(const std::string& why) {
  return Error{.number = ENOKEY, .message = why, .code = "ERR_AUTHENTICATION"};
}

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
  if (Status enough = check_descriptors(); !enough) return enough.error();
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
  const std::string keyless = conf.wants_key() ? conf.missing_key(connection.name) : "";
  if (!keyless.empty()) {
    if (!conf.allows_no_key()) return without_key(keyless);
    // A cluster that asks for no key answers soon; one that does may not answer at all.
    if (Status hurried = conf.hurry(kKeylessPatience); !hurried) return hurried.error();
  }
  if (const int connected = librbd.rados_connect(handle.get()); connected < 0) {
    return connected == -ETIMEDOUT && !keyless.empty()
               ? without_key(keyless)
               : connect_error(conf, connection.name, handle.patience_, connected);
  }
  reached(Stage::connected);
  return handle;
}

}  // namespace blockhaul
