#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "core/units.h"
#include "volume/posix_identity.h"
#include "volume/posix_volume.h"

namespace blockhaul {
namespace {

Error open_error(int number, std::string_view what = {}) {
  return Error::from_errno(number, Operation::open, what);
}

Error not_a_volume(std::string what) {
  return Error{.number = EINVAL, .message = std::move(what), .code = "ERR_NOT_A_VOLUME"};
}

Status check_kind(const struct stat& status, PathKind wanted) {
  if (S_ISLNK(status.st_mode)) return not_a_volume("is a symbolic link, not the volume itself");
  if (S_ISDIR(status.st_mode))
    return not_a_volume("is a directory, not an image file or a block device");
  if (S_ISFIFO(status.st_mode)) {
    return not_a_volume(
        "is a FIFO, and a volume is read and written in any order: go through an image file");
  }
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
    return not_a_volume("is neither an image file nor a block device");
  }
  if (wanted == PathKind::file && !S_ISREG(status.st_mode))
    return not_a_volume("is not an image file");
  if (wanted == PathKind::block && !S_ISBLK(status.st_mode))
    return not_a_volume("is not a block device");
  return success();
}

Status check_claim(const PosixOpenOptions& options) {
  const bool fits = options.mode == AccessMode::write && options.kind == PathKind::block;
  if (!options.proven_zero || fits) return success();
  return Error{.number = EINVAL,
               .message = "only a block device that is to be written can be known to be zero"};
}

/// Opens the inode behind a descriptor again: no path is looked up twice, so nobody can put another
/// file in between.
UniqueDescriptor reopen(const UniqueDescriptor& descriptor, int flags) {
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor.get());
  return UniqueDescriptor(::open(path.c_str(), flags | O_CLOEXEC));
}

/// A name is durable only when its directory is.
Status sync_parent(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const UniqueDescriptor directory(
      ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0)
    return open_error(errno, "directory of the new file");
  return success();
}

/// Gives a new, empty file its size, thick with extents that read as zero and are not written.
int set_size(int descriptor, std::uint64_t size, bool thick) {
  const auto length = static_cast<off_t>(size);
  if (!thick || size == 0) return ::ftruncate(descriptor, length);
  int result = 0;
  // Not posix_fallocate: where the file system cannot, that writes.
  do {
    result = ::fallocate(descriptor, 0, 0, length);
  } while (result != 0 && errno == EINTR);
  return result;
}

Result<UniqueDescriptor> create_file(const std::string& path, std::uint64_t size, bool thick) {
  // Disk images hold other people's data: nobody else reads a new one.
  UniqueDescriptor created(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!created) return open_error(errno);
  if (set_size(created.get(), size, thick) != 0) {
    const Error error = open_error(
        errno, thick ? "reserve the space of the new file" : "set the size of the new file");
    ::unlink(path.c_str());
    return error;
  }
  if (Status synced = sync_parent(path); !synced) {
    ::unlink(path.c_str());
    return synced.error();
  }
  return created;
}

/// Takes a new file away again, unless the open succeeds.
class NewFile {
 public:
  explicit NewFile(std::string path) : path_(std::move(path)) {}
  ~NewFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  void keep() { path_.clear(); }

 private:
  std::string path_;
};

/// In bytes; 0 and 0: O_DIRECT can be opened, but would go through the page cache.
struct Alignment {
  std::uint32_t memory;
  std::uint32_t offset;
};

/// What O_DIRECT asks for on this inode; the kernel says it since 6.1, for block devices
/// since 6.11.
Alignment direct_alignment(int descriptor, std::uint32_t block_size) {
#ifdef STATX_DIOALIGN
  struct statx extended {};
  if (::statx(descriptor, "", AT_EMPTY_PATH, STATX_DIOALIGN, &extended) == 0 &&
      (extended.stx_mask & STATX_DIOALIGN) != 0) {
    return {extended.stx_dio_mem_align, extended.stx_dio_offset_align};
  }
#endif
  return {std::max(block_size, 512U), block_size};
}

struct BlockGeometry {
  std::uint64_t size = 0;
  std::uint32_t logical_block = 512;
  bool read_only = false;
};

Result<BlockGeometry> block_geometry(int descriptor) {
  BlockGeometry geometry;
  int logical = 0;
  int read_only = 0;
  if (::ioctl(descriptor, BLKGETSIZE64, &geometry.size) != 0)
    return open_error(errno, "size of the device");
  if (::ioctl(descriptor, BLKSSZGET, &logical) != 0)
    return open_error(errno, "block size of the device");
  if (::ioctl(descriptor, BLKROGET, &read_only) != 0) return open_error(errno, "write protection");
  geometry.logical_block = static_cast<std::uint32_t>(logical);
  geometry.read_only = read_only != 0;
  return geometry;
}

}  // namespace

Result<std::unique_ptr<PosixVolume>> PosixVolume::open(const PosixOpenOptions& options) {
  if (Status fits = check_claim(options); !fits) return fits.error();
  const bool writes = options.mode == AccessMode::write;
  PosixInode inode;

  const std::string& at = options.at ? *options.at : options.path;
  UniqueDescriptor place;
  std::optional<NewFile> made;
  if (options.create_size) {
    Result<UniqueDescriptor> created = create_file(at, *options.create_size, options.thick);
    if (!created) return created.error();
    place = std::move(created.value());
    made.emplace(at);
  } else {
    // O_PATH has no side effects: a FIFO does not block, a tape does not rewind.
    const int follow = options.at ? O_NOFOLLOW : 0;
    place = UniqueDescriptor(::open(at.c_str(), O_PATH | O_CLOEXEC | follow));
    if (!place) return open_error(errno);
  }
  struct stat status {};
  if (::fstat(place.get(), &status) != 0) return open_error(errno);
  if (Status fits = check_kind(status, options.kind); !fits) return fits.error();
  inode.is_block = S_ISBLK(status.st_mode);
  inode.thick = options.thick && !inode.is_block;

  const int access = writes ? O_RDWR : O_RDONLY;
  // O_EXCL on a block device is refused while it is mounted or held by device-mapper, md or swap.
  const bool claims = (writes || options.exclusive) && !options.shared;
  const int exclusive = claims && inode.is_block ? O_EXCL : 0;
  if (options.direct) inode.direct = reopen(place, access | exclusive | O_DIRECT);
  if (!inode.direct && options.direct && errno != EINVAL) return open_error(errno);
  const int claimed = inode.direct ? 0 : exclusive;
  inode.buffered = reopen(place, access | claimed);
  if (!inode.buffered) return open_error(errno);

  VolumeInfo& info = inode.info;
  info.name = options.path;
  info.kind = inode.is_block ? "block" : "file";
  const PosixPlace place_of_bytes = posix_place(inode.buffered.get(), status);
  info.identity = place_of_bytes.identity();
  info.node = FileNode::of(status);
  info.medium = place_of_bytes.medium;
  info.medium_offset = place_of_bytes.offset;
  info.read_only = !writes;
  info.zeroes = writes;
  info.maps_extents = !inode.is_block;
  const bool zero = options.create_size || options.proven_zero;
  info.zero_state = zero ? ZeroState::proven_zero : ZeroState::unknown;
  std::uint32_t block_size = static_cast<std::uint32_t>(status.st_blksize);
  if (inode.is_block) {
    Result<BlockGeometry> geometry = block_geometry(inode.buffered.get());
    if (!geometry) return geometry.error();
    if (writes && geometry.value().read_only)
      return open_error(EROFS, "the device is write-protected");
    info.size = geometry.value().size;
    block_size = geometry.value().logical_block;
    info.block_size = block_size;
  } else {
    info.size =
        options.create_size ? *options.create_size : static_cast<std::uint64_t>(status.st_size);
  }
  if (inode.direct) {
    const Alignment alignment = direct_alignment(inode.direct.get(), block_size);
    inode.memory_alignment = std::max(alignment.memory, 1U);
    inode.offset_alignment = std::max(alignment.offset, 1U);
    // A device's stays all the same: it holds the claim.
    if (alignment.offset == 0 && !inode.is_block) inode.direct = UniqueDescriptor();
    info.direct = alignment.offset != 0;
  }
  if (made) made->keep();
  return std::make_unique<PosixVolume>(std::move(inode));
}

}  // namespace blockhaul
