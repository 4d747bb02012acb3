#include "volume/rados_conf.h"

#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <vector>

namespace blockhaul {
namespace {

/// What Ceph waits for a monitor by default is five minutes; a person at a terminal is gone by
/// then.
constexpr std::chrono::seconds kCephMountTimeout{300};
constexpr const char* kMountTimeout = "30";

std::string errno_text(int number) { return std::generic_category().message(number); }

Error configuration_error(int number, std::string message) {
  return Error{.number = number, .message = std::move(message)};
}

std::vector<std::string> split(std::string_view list) {
  constexpr std::string_view kSeparators = ",; ";
  std::vector<std::string> parts;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find_first_of(kSeparators), list.size());
    if (end > 0) parts.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return parts;
}

/// 0 where one of the paths can be read, else an errno.
int why_unreadable(const std::string& paths) {
  int number = ENOENT;
  for (const std::string& path : split(paths)) {
    if (::access(path.c_str(), R_OK) == 0) return 0;
    number = errno;
  }
  return number;
}

}  // namespace

std::string RadosConf::get(const std::string& option) const {
  std::vector<char> value(4096);
  while (librbd_.rados_conf_get(handle_, option.c_str(), value.data(), value.size()) ==
         -ENAMETOOLONG) {
    if (value.size() > (1U << 20)) return {};
    value.resize(value.size() * 2);
  }
  return value.data();
}

std::chrono::seconds RadosConf::patience() const {
  const std::string text = get("client_mount_timeout");
  double seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return std::chrono::seconds(static_cast<std::int64_t>(seconds));
}

Status RadosConf::set(const std::string& option, const std::string& value) const {
  const int result = librbd_.rados_conf_set(handle_, option.c_str(), value.c_str());
  if (result == -ENOENT)
    return configuration_error(EINVAL, "Ceph has no option \"" + option + "\"");
  if (result < 0)
    return configuration_error(EINVAL, "Ceph refuses the value given for its option " + option);
  return success();
}

Status RadosConf::read_files(const CephConnection& connection) const {
  const char* environment = std::getenv("CEPH_CONF");  // NOLINT(concurrency-mt-unsafe)
  const std::string named = connection.conf.value_or(environment == nullptr ? "" : environment);
  const int result = librbd_.rados_conf_read_file(handle_, named.empty() ? nullptr : named.c_str());
  if (result >= 0) return success();
  if (named.empty() && result == -ENOENT) {
    // CEPH_ARGS and the overrides may say all that is needed. Without a word of them, librados
    // would ask the DNS, and complain on stderr where that knows nothing.
    const char* arguments = std::getenv("CEPH_ARGS");  // NOLINT(concurrency-mt-unsafe)
    if (arguments != nullptr && *arguments != '\0') return success();
    for (const char* option : {"mon_host", "mon_dns_srv_name"}) {
      if (connection.overrides.contains(option)) return success();
    }
    return configuration_error(
        ENOENT, "no Ceph configuration was found: say where it is, or give a mon_host");
  }
  const std::string what =
      named.empty() ? "the Ceph configuration" : "the Ceph configuration " + named;
  if (const int number = named.empty() ? 0 : why_unreadable(named); number != 0) {
    return configuration_error(number, what + ": " + errno_text(number));
  }
  return configuration_error(-result, what + " has an error");
}

Status RadosConf::read(const CephConnection& connection) const {
  if (Status files = read_files(connection); !files) return files;
  if (librbd_.rados_conf_parse_env(handle_, nullptr) < 0) {
    return configuration_error(EINVAL, "CEPH_ARGS cannot be understood");
  }
  if (patience() == kCephMountTimeout) {
    if (Status done = set("client_mount_timeout", kMountTimeout); !done) return done;
  }
  // A copy reads and writes each byte once: a cache only costs, and it would hide what the cluster
  // holds from a read-back. (rbd_disable_zero_copy_writes stays as it is, which is true: see
  // docs/decisions/0005-librbd-copies-writes.md.)
  if (Status done = set("rbd_cache", "false"); !done) return done;
  for (const auto& [option, value] : connection.overrides) {
    if (Status done = set(option, value); !done) return done;
  }
  return success();
}

std::string RadosConf::methods() const {
  // The older option counts where it is set.
  const std::string supported = get("auth_supported");
  return supported.empty() ? get("auth_client_required") : supported;
}

bool RadosConf::wants_key() const {
  const std::string methods = this->methods();
  return methods.find("cephx") != std::string::npos && methods.find("gss") == std::string::npos;
}

bool RadosConf::allows_no_key() const { return methods().find("none") != std::string::npos; }

Status RadosConf::hurry(std::chrono::seconds most) const {
  if (patience() > std::chrono::seconds(0) && patience() <= most) return success();
  return set("client_mount_timeout", std::to_string(most.count()));
}

std::string RadosConf::missing_key(const std::string& name) const {
  if (!get("key").empty()) return {};
  if (const std::string file = get("keyfile"); !file.empty()) {
    return ::access(file.c_str(), R_OK) == 0
               ? ""
               : "the key file " + file + " cannot be read: " + errno_text(errno);
  }
  const std::string list = get("keyring");
  const std::string section = "[" + name + "]";
  for (const std::string& path : split(list)) {
    std::ifstream keyring(path);
    if (!keyring) continue;
    for (std::string line; std::getline(keyring, line);) {
      if (line.find(section) != std::string::npos) return {};
    }
    // librados looks into the first keyring that exists, and into no other.
    std::string why = "the keyring ";
    return why.append(path).append(" has no key for ").append(name);
  }
  return "there is no keyring for " + name + " at " + list;
}

}  // namespace blockhaul
