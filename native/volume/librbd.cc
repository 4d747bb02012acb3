#include "volume/librbd.h"

#include <dlfcn.h>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <string_view>

#include "core/kept_memory.h"

namespace blockhaul {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr ? "" : value;
}

Error unavailable(std::string message) {
  return Error{.number = ENOSYS, .message = std::move(message), .code = "ERR_DRIVER_UNAVAILABLE"};
}

/// The OpenSSL whose functions a look-up in `scope` finds: its major version; 0 where there is
/// none.
unsigned long openssl_major(void* scope) {
  using VersionNumber = unsigned long (*)();
  const auto number = reinterpret_cast<VersionNumber>(::dlsym(scope, "OpenSSL_version_num"));
  return number == nullptr ? 0 : number() >> 28;
}

/// A program such as node may export an OpenSSL of its own, and then librbd's calls bind to that
/// one instead of the library that it was linked with. Within one major both have the same
/// interface; across majors structures differ, which would show as a crash in the middle of a
/// handshake.
Status check_openssl(void* library) {
  const unsigned long ours = openssl_major(RTLD_DEFAULT);
  const unsigned long theirs = openssl_major(library);
  if (ours == 0 || theirs == 0 || ours == theirs) return success();
  if (environment("BLOCKHAUL_LIBRBD_ANYWAY") == "1") return success();
  return unavailable("librbd was built for OpenSSL " + std::to_string(theirs) +
                     ", but this program carries OpenSSL " + std::to_string(ours) +
                     ", which librbd would call instead; BLOCKHAUL_LIBRBD_ANYWAY=1 tries it");
}

Result<std::unique_ptr<Librbd>> open_library() {
  const std::string named = environment("BLOCKHAUL_LIBRBD");
  const std::string file = named.empty() ? "librbd.so.1" : named;
  // RTLD_DEEPBIND would keep node's OpenSSL out, but also node's copy of std::cerr: seen to crash.
  void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = ::dlerror();  // NOLINT(concurrency-mt-unsafe): glibc keeps it per thread
    return unavailable(std::string("librbd cannot be loaded: install the package librbd1 (") +
                       (reason == nullptr ? file : reason) + ")");
  }
  if (Status fits = check_openssl(library); !fits) return fits.error();

  auto librbd = std::make_unique<Librbd>();
  std::string missing;
#define BLOCKHAUL_LIBRBD_FIND(name) \
  librbd->name = reinterpret_cast<decltype(librbd->name)>(::dlsym(library, #name));
#define BLOCKHAUL_LIBRBD_FIND_REQUIRED(name) \
  BLOCKHAUL_LIBRBD_FIND(name)                \
  if (librbd->name == nullptr && missing.empty()) missing = #name;
  BLOCKHAUL_LIBRBD_REQUIRED(BLOCKHAUL_LIBRBD_FIND_REQUIRED)
  BLOCKHAUL_LIBRBD_OPTIONAL(BLOCKHAUL_LIBRBD_FIND)
#undef BLOCKHAUL_LIBRBD_FIND_REQUIRED
#undef BLOCKHAUL_LIBRBD_FIND
  if (!missing.empty()) {
    return unavailable(file + " has no function " + missing + ": update the package librbd1");
  }
  librbd->rbd_version(&librbd->major, &librbd->minor, &librbd->extra);
  return librbd;
}

}  // namespace

Result<const Librbd*> Librbd::load() {
  static std::mutex mutex;
  // Never freed: the library's own threads may outlive every static object.
  static const Librbd* loaded = nullptr;
  const std::lock_guard lock(mutex);
  if (loaded == nullptr) {
    auto opened = open_library();
    if (!opened) return opened.error();
    loaded = opened.value().release();
    // librbd copies what it writes, and receives what it reads, in memory of its own.
    keep_freed_memory();
  }
  return loaded;
}

std::string Librbd::version() const {
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(extra);
}

}  // namespace blockhaul
