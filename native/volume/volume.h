#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/extent.h"
#include "core/result.h"
#include "io/file_lease.h"
#include "io/file_node.h"
#include "io/reactor.h"
#include "io/unique_descriptor.h"

namespace blockhaul {

class Volume;

/// One request to a volume. The owner keeps the request, its data and the volume alive until
/// `on_done` was called. On success all of `length` was transferred: what the medium did in part is
/// taken up again inside the volume, so there is no short request.
struct Request {
  Operation operation = Operation::read;  ///< read, write, zero or flush
  std::uint64_t offset = 0;               ///< bytes; offset + length lies within the volume
  std::uint64_t length = 0;               ///< bytes; of read and write: data.size()
  std::span<std::byte> data{};            ///< of read and write
  /// Called once, on the thread of the reactor given to submit(), never from inside submit().
  void (*on_done)(Request&) noexcept = nullptr;
  void* context = nullptr;

  int error = 0;  ///< the answer: 0, or a positive errno

  // The volume's own, while the request is with it.
  Reactor* reactor = nullptr;
  std::uint64_t progress = 0;  ///< bytes that are done
  unsigned step = 0;           ///< which way of doing it is being tried
  FileOperation file{};
  Task task{};
  void* handle = nullptr;
  void* scratch = nullptr;  ///< memory of its own
};

/// What is known of a target's content. There is no "assumed".
enum class ZeroState : std::uint8_t { unknown, proven_zero };

[[nodiscard]] constexpr std::string_view name_of(ZeroState state) {
  return state == ZeroState::proven_zero ? "proven-zero" : "unknown";
}

/// A client that has a volume open where it is stored.
struct Watcher {
  std::string client;  ///< "client.4123"
  std::string address;
  bool own = false;  ///< it is this process
};

struct VolumeInfo {
  std::string kind;      ///< "file", "block", "rbd", "js", "null", "zero", "pattern", …
  std::string name;      ///< for messages
  std::string identity;  ///< the same for the same bytes, whatever path led there
  std::string medium{};  ///< what the bytes lie on, where volumes may overlap; "": identity
  std::uint64_t medium_offset = 0;  ///< where they begin on it, in bytes
  std::optional<FileNode> node{};   ///< of a file or a block device of this host
  std::uint64_t size = 0;           ///< bytes
  std::uint32_t block_size = 1;     ///< bytes: the smallest unit the medium itself writes
  std::uint32_t preferred_size =
      0;  ///< bytes: requests that stay within multiples of it are cheap; 0: any
  ZeroState zero_state = ZeroState::unknown;  ///< when it was opened: see Volume::zero_state()
  bool read_only = true;
  bool snapshot = false;  ///< nobody can change what it holds
  bool direct = false;    ///< bypasses the page cache
  bool maps_extents = false;
  bool zeroes = false;  ///< can make zeros without sending them
};

/// A fixed-size array of bytes. A volume may be used by several reactors at once; each request
/// belongs to the one that submit() names.
class Volume {
 public:
  Volume() = default;
  virtual ~Volume() = default;
  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;

  [[nodiscard]] virtual const VolumeInfo& info() const = 0;

  /// What is known of the content now: a proof ends with the first write.
  [[nodiscard]] ZeroState zero_state() const {
    if (written_.load(std::memory_order_relaxed)) return ZeroState::unknown;
    return still_zero() ? info().zero_state : ZeroState::unknown;
  }
  /// Who is going to write says so first, and learns what was known until then: of several at once,
  /// one at the most finds a proof. Any thread.
  ZeroState begin_writing() {
    const ZeroState known = zero_state();
    return written_.exchange(true) ? ZeroState::unknown : known;
  }

  /// A second look by who was told "proven zero": false where the medium shows that somebody else
  /// wrote to it since it was opened, and where it will not say. Blocks as map() does, and ends
  /// with false soon after `stop` is set.
  [[nodiscard]] virtual bool confirm_zero(const std::atomic<bool>& /*stop*/) { return true; }

  /// Starts a request; on `reactor`'s thread. A `zero` makes the range read as zero by the cheapest
  /// way the medium has; ENOTSUP says that it has none and zeros must be written.
  virtual void submit(Reactor& reactor, Request& request) = 0;

  /// What a range holds; blocks, so never on a reactor's thread. The answer covers a prefix of the
  /// range (at least a byte), ascending and without gaps: ask again from its end. It is a hint from
  /// a volume that nobody writes to; after a failure, the range is data.
  virtual Result<std::vector<Extent>> map(std::uint64_t offset, std::uint64_t length);

  /// Who has it open, this process too; nothing where its storage does not tell. Blocks as map()
  /// does.
  virtual Result<std::optional<std::vector<Watcher>>> watchers() {
    return std::optional<std::vector<Watcher>>();
  }

  /// What its storage says, at once, of who has it open for writing; this process counts.
  [[nodiscard]] virtual Writers writers() const { return Writers::unknown; }

  /// What lies behind, opened once more for locks of its own; not open where it is no file or
  /// device of this host.
  virtual Result<UniqueDescriptor> open_again(bool /*to_write*/) { return UniqueDescriptor(); }

  /// Makes whatever other threads wait for on this volume's behalf fail with ECANCELED; any thread.
  virtual void interrupt() {}

 protected:
  /// False where the medium shows, at a glance, that somebody else wrote to it since it was opened.
  [[nodiscard]] virtual bool still_zero() const { return true; }

 private:
  std::atomic<bool> written_{false};
};

/// Completes a request from inside submit(), or from a thread that is not the reactor's.
void complete_later(Reactor& reactor, Request& request, int error);

}  // namespace blockhaul
