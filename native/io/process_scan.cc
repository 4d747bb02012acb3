#include "io/process_scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>

#include "io/unique_descriptor.h"

namespace blockhaul {
namespace {

using File = std::unique_ptr<std::FILE, decltype([](std::FILE* file) { (void)std::fclose(file); })>;
using Folder = std::unique_ptr<DIR, decltype([](DIR* folder) { ::closedir(folder); })>;

/// Nothing of a text that is no number.
template <typename T>
std::optional<T> parse(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The start of a small file of /proc; "" where it cannot be read.
std::string read_start(int folder, const char* name) {
  const UniqueDescriptor file(::openat(folder, name, O_RDONLY | O_CLOEXEC));
  std::array<char, 512> buffer{};
  const ssize_t length = file ? ::read(file.get(), buffer.data(), buffer.size()) : 0;
  return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0))};
}

std::string read_link(int folder, const char* name) {
  std::array<char, 128> buffer{};
  const ssize_t length = ::readlinkat(folder, name, buffer.data(), buffer.size());
  return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0))};
}

/// Whether a descriptor, by its fdinfo, was opened to be written to.
bool is_writable(std::string_view info) {
  constexpr std::string_view kFlags = "flags:";
  const std::size_t at = info.find(kFlags);
  if (at == std::string_view::npos) return false;
  info.remove_prefix(at + kFlags.size());
  info.remove_prefix(std::min(info.find_first_not_of(" \t"), info.size()));
  const auto flags = parse<unsigned>(info.substr(0, info.find('\n')), 8);
  return flags && (*flags & O_ACCMODE) != O_RDONLY;
}

bool is_node(const struct statx& status, const FileNode& node) {
  if (node.is_block != S_ISBLK(status.stx_mode)) return false;
  if (node.is_block) return makedev(status.stx_rdev_major, status.stx_rdev_minor) == node.device;
  return status.stx_ino == node.inode &&
         makedev(status.stx_dev_major, status.stx_dev_minor) == node.device;
}

enum class Kinship : std::uint8_t { none, fork, child };

/// Whether a process is a child of ours, and whether it has become another program yet.
Kinship kinship_of(int process) {
  constexpr unsigned kForkedWithoutExec = 0x40;  // PF_FORKNOEXEC of the kernel's sched.h
  const std::string stat = read_start(process, "stat");
  // The program's name, in parentheses, may hold anything.
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return Kinship::none;
  char state = 0;
  int parent = 0;
  unsigned flags = 0;
  const char* rest = stat.c_str() + name_end + 1;
  if (std::sscanf(rest, " %c %d %*d %*d %*d %*d %u", &state, &parent, &flags) != 3 ||
      parent != ::getpid()) {
    return Kinship::none;
  }
  return (flags & kForkedWithoutExec) != 0 ? Kinship::fork : Kinship::child;
}

/// Whether a descriptor is one of ours that a child has only until it has become another program:
/// the kernel takes the mark of a fork away a moment before it closes what is to be closed.
bool is_about_to_close(int process, int descriptors, const char* name, const FileNode& node) {
  constexpr int kLooks = 50;
  switch (kinship_of(process)) {
    case Kinship::none:
      return false;
    case Kinship::fork:
      return true;
    case Kinship::child:
      break;
  }
  for (int look = 0; look < kLooks; ++look) {
    struct statx status {};
    if (::statx(descriptors, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_INO,
                &status) != 0 ||
        !is_node(status, node)) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

/// A process that has ended meanwhile has nothing open; of any other failure nobody knows that.
bool is_kept_from_us(int number) { return number != ENOENT && number != ESRCH; }

/// What a line of /proc/PID/maps says of a file that is mapped to be written to; nothing of any
/// other.
struct Mapping {
  FileNode node;     ///< as a file: of a device's node, that file
  std::string path;  ///< "" where it has none
};

std::optional<Mapping> parse_mapping(const std::string& line) {
  unsigned high = 0;
  unsigned low = 0;
  unsigned long long inode = 0;
  std::array<char, 5> rights{};
  int path = 0;
  const int found = std::sscanf(line.c_str(), "%*[^ ] %4s %*[^ ] %x:%x %llu %n", rights.data(),
                                &high, &low, &inode, &path);
  if (found != 4 || rights[1] != 'w' || rights[3] != 's' || inode == 0) return std::nullopt;
  Mapping mapping{
      .path = line.substr(std::min<std::size_t>(static_cast<std::size_t>(path), line.size()))};
  mapping.node.device = makedev(high, low);
  mapping.node.inode = inode;
  return mapping;
}

/// Whether a mapping is of a node.
bool is_mapping_of(const Mapping& mapping, int process, const FileNode& node) {
  if (!node.is_block) {
    if (mapping.node.inode != node.inode) return false;
    if (mapping.node.device == node.device) return true;
  } else if (!mapping.path.starts_with("/dev/")) {
    return false;
  }
  // A device, and a file of a file system that has several numbers, such as btrfs: by the path, as
  // the process sees it.
  struct statx status {};
  const std::string path = "root" + mapping.path;
  return ::statx(process, path.c_str(), AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE,
                 &status) == 0 &&
         is_node(status, node);
}

/// Calls back with each node that a process has mapped to be written to.
void find_mapped(int process, std::span<const FileNode> nodes, ProcessScan& scan,
                 const std::function<void(std::size_t)>& found) {
  const int descriptor = ::openat(process, "maps", O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    scan.incomplete |= is_kept_from_us(errno);
    return;
  }
  const File maps(::fdopen(descriptor, "r"));
  if (!maps) {
    ::close(descriptor);
    scan.incomplete = true;
    return;
  }
  char* text = nullptr;
  std::size_t capacity = 0;
  for (ssize_t length = 0; (length = ::getline(&text, &capacity, maps.get())) > 0;) {
    if (text[length - 1] == '\n') text[length - 1] = '\0';
    const auto mapping = parse_mapping(text);
    for (std::size_t i = 0; mapping && i < nodes.size(); ++i)
      if (is_mapping_of(*mapping, process, nodes[i])) found(i);
  }
  std::free(text);  // NOLINT(cppcoreguidelines-no-malloc): getline's
}

/// Adds a process to the writers of each node that it has open for writing, and to the readers of
/// each other one that it has open.
void find_nodes(int process, pid_t number, std::span<const FileNode> nodes, ProcessScan& scan) {
  const int folder = ::openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) {
    scan.incomplete |= is_kept_from_us(errno);
    return;
  }
  const Folder descriptors(::fdopendir(folder));
  if (!descriptors) {
    ::close(folder);
    scan.incomplete = true;
    return;
  }
  enum class How : std::uint8_t { closed, reading, writing };
  std::vector<How> found(nodes.size());
  while (const dirent* entry = ::readdir(descriptors.get())) {
    struct statx status {};
    // A server that is gone is not asked for the state of its files.
    const int flags = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT;
    const unsigned wanted = STATX_TYPE | STATX_INO;
    if (::statx(::dirfd(descriptors.get()), entry->d_name, flags, wanted, &status) != 0) {
      scan.incomplete |= errno == EACCES || errno == EPERM;
      continue;
    }
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (found[i] == How::writing || !is_node(status, nodes[i])) continue;
      const std::string info = std::string("fdinfo/") + entry->d_name;
      const How how = is_writable(read_start(process, info.c_str())) ? How::writing : How::reading;
      if (how == found[i]) continue;
      if (is_about_to_close(process, ::dirfd(descriptors.get()), entry->d_name, nodes[i])) continue;
      found[i] = how;
    }
  }
  // A copy of ourselves has our mappings until it has become another program.
  if (kinship_of(process) != Kinship::fork)
    find_mapped(process, nodes, scan, [&found](std::size_t node) { found[node] = How::writing; });
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (found[i] == How::closed) continue;
    std::string name = read_start(process, "comm");
    name.erase(std::min(name.find('\n'), name.size()));
    auto& users = found[i] == How::writing ? scan.writers : scan.readers;
    users.push_back({.process = number, .name = std::move(name), .node = i});
  }
}

}  // namespace

ProcessScan scan_processes(std::span<const FileNode> nodes, const std::string& proc) {
  ProcessScan scan;
  const Folder processes(::opendir(proc.c_str()));
  if (!processes) {
    scan.incomplete = true;
    return scan;
  }
  std::vector<std::string> known{read_link(::dirfd(processes.get()), "self/ns/mnt")};
  while (const dirent* entry = ::readdir(processes.get())) {
    const auto number = parse<pid_t>(entry->d_name);
    if (!number) continue;
    const UniqueDescriptor process(
        ::openat(::dirfd(processes.get()), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!process) {
      scan.incomplete |= is_kept_from_us(errno);
      continue;
    }
    if (*number == ::getpid()) {
      ProcessScan own;
      if (!nodes.empty()) find_nodes(process.get(), *number, nodes, own);
      for (const FileUser& user : own.writers) scan.own.push_back(user.node);
      continue;
    }
    const std::string mounts = read_link(process.get(), "ns/mnt");
    if (!mounts.empty() && std::find(known.begin(), known.end(), mounts) == known.end()) {
      known.push_back(mounts);
      scan.namespaces.push_back(*number);
    }
    if (!nodes.empty()) find_nodes(process.get(), *number, nodes, scan);
  }
  for (auto* users : {&scan.writers, &scan.readers}) {
    std::sort(users->begin(), users->end(), [](const auto& one, const auto& other) {
      return one.process != other.process ? one.process < other.process : one.node < other.node;
    });
  }
  return scan;
}

}  // namespace blockhaul
