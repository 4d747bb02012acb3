#include "io/file_attributes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>

#include "io/unique_descriptor.h"

namespace blockhaul {
namespace {

constexpr const char* kLabel = "security.selinux";
constexpr const char* kAccessList = "system.posix_acl_access";
/// Bytes: what the kernel takes for one attribute.
constexpr std::size_t kLargestAttribute = 65536;
constexpr mode_t kOwnersLeast = S_IRUSR | S_IWUSR;

std::string reason(int number) { return " (" + std::generic_category().message(number) + ")"; }

std::string octal(mode_t mode) {
  std::string digits = "0000";
  for (std::size_t i = 4; i-- > 0; mode >>= 3) digits[i] = static_cast<char>('0' + (mode & 7));
  return digits;
}

/// An extended attribute, or none. What cannot be read is an errno.
struct Attribute {
  std::optional<std::string> value;
  int number = 0;
};

/// By the descriptor's path in /proc, since one that was opened with O_PATH can be asked no other
/// way.
Attribute attribute_of(const UniqueDescriptor& file, const char* name) {
  const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  std::string value(256, '\0');
  for (;;) {
    const ssize_t length = ::getxattr(path.c_str(), name, value.data(), value.size());
    if (length >= 0) {
      value.resize(static_cast<std::size_t>(length));
      return {.value = std::move(value)};
    }
    if (errno == ERANGE && value.size() < kLargestAttribute) {
      value.resize(kLargestAttribute);
      continue;
    }
    // ENODATA: it has none. ENOTSUP: its file system knows none.
    if (errno == ENODATA || errno == ENOTSUP) return {};
    return {.value = std::nullopt, .number = errno};
  }
}

/// One copy, from what the source has to what the target has in the end.
class Keeping {
 public:
  Keeping(const UniqueDescriptor& source, struct stat wanted, const UniqueDescriptor& target)
      : source_(source), wanted_(wanted), target_(target) {}

  std::vector<std::string> run() {
    // Bits come last: until then only this user reads the file.
    keep_owner();
    keep_label();
    const bool list_kept = keep_access_list();
    mode_t mode = (wanted_.st_mode & (S_IRWXU | S_IRWXG | S_IRWXO)) | kOwnersLeast;
    if (!group_kept_ || !list_kept) mode &= ~static_cast<mode_t>(S_IRWXG);
    keep_mode(mode);
    return std::move(lost_);
  }

 private:
  void keep_owner() {
    struct stat now {};
    const int whole = ::fchown(target_.get(), wanted_.st_uid, wanted_.st_gid) == 0 ? 0 : errno;
    int number = whole;
    if (whole != 0 && ::fchown(target_.get(), static_cast<uid_t>(-1), wanted_.st_gid) != 0) {
      number = errno;
    }
    // Asked, not believed: some file systems succeed and do nothing.
    const bool known = ::fstat(target_.get(), &now) == 0;
    group_kept_ = known && now.st_gid == wanted_.st_gid;
    if (!known || now.st_uid != wanted_.st_uid) {
      lost_.push_back("the owner " + std::to_string(wanted_.st_uid) +
                      reason(whole ? whole : EPERM));
    }
    if (!group_kept_) {
      lost_.push_back("the group " + std::to_string(wanted_.st_gid) +
                      reason(number ? number : EPERM));
    }
  }

  void keep_label() {
    const Attribute label = attribute_of(source_, kLabel);
    if (label.number != 0) {
      lost_.push_back("the SELinux label, which cannot be read" + reason(label.number));
    }
    if (!label.value || attribute_of(target_, kLabel).value == label.value) return;
    if (set(kLabel, *label.value) == 0) return;
    const int number = errno;
    std::string text = *label.value;
    while (!text.empty() && text.back() == '\0') text.pop_back();
    lost_.push_back("the SELinux label " + text + reason(number));
  }

  bool keep_access_list() {
    const Attribute list = attribute_of(source_, kAccessList);
    if (list.number == 0 && !list.value) {
      // What its folder gives to new files is more than the source has.
      if (!attribute_of(target_, kAccessList).value) return true;
      return ::fremovexattr(target_.get(), kAccessList) == 0;
    }
    if (list.value && set(kAccessList, *list.value) == 0) return true;
    lost_.push_back("the access list" + reason(list.number != 0 ? list.number : errno));
    return false;
  }

  void keep_mode(mode_t mode) {
    struct stat now {};
    const int number = ::fchmod(target_.get(), mode) == 0 ? 0 : errno;
    const mode_t bits = S_IRWXU | S_IRWXG | S_IRWXO;
    const bool known = ::fstat(target_.get(), &now) == 0;
    const mode_t has = known ? now.st_mode & bits : 0;
    const mode_t had = wanted_.st_mode & bits;
    if (known && has == had) return;
    lost_.push_back("the mode " + octal(had) + ", it has " + octal(has) +
                    (number != 0 ? reason(number) : ""));
  }

  int set(const char* name, const std::string& value) {
    return ::fsetxattr(target_.get(), name, value.data(), value.size(), 0);
  }

  const UniqueDescriptor& source_;
  const struct stat wanted_;
  const UniqueDescriptor& target_;
  bool group_kept_ = false;
  std::vector<std::string> lost_{};
};

}  // namespace

Result<std::vector<std::string>> keep_file_attributes(const std::string& source,
                                                      const std::string& target) {
  using Lost = std::vector<std::string>;
  const UniqueDescriptor from(::open(source.c_str(), O_PATH | O_CLOEXEC));
  struct stat wanted {};
  if (!from || ::fstat(from.get(), &wanted) != 0) {
    return Lost{"owner, group, mode and label: the source cannot be asked" + reason(errno)};
  }
  if (!S_ISREG(wanted.st_mode)) return Lost{};
  const UniqueDescriptor to(::open(target.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat made {};
  if (!to || ::fstat(to.get(), &made) != 0) {
    return Lost{"owner, group, mode and label: the target cannot be opened" + reason(errno)};
  }
  if (!S_ISREG(made.st_mode) || made.st_nlink != 1 || made.st_uid != ::geteuid()) {
    return Lost{"owner, group, mode and label: the target has a second name, or another owner"};
  }
  Lost lost = Keeping(from, wanted, to).run();
  if (::fsync(to.get()) != 0) return Error::from_errno(errno, Operation::flush, target);
  return lost;
}

}  // namespace blockhaul
