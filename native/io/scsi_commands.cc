#include "io/scsi_commands.h"

#include <fcntl.h>
#include <linux/bsg.h>
#include <scsi/sg.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <span>

#include "io/unique_descriptor.h"

namespace blockhaul {
namespace {

/// Bytes that say how long an answer is.
constexpr std::size_t kLeast = 4;
/// A target may have something else to say first: that it was reset, that its units have changed. A
/// path may be lost and come back.
constexpr int kTries = 3;

/// What is asked, and how long its answer says that it is.
class Question {
 public:
  Question() = default;
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;
  virtual ~Question() = default;

  [[nodiscard]] virtual const char* name() const = 0;
  /// The command's descriptor, for an answer of at most `room` bytes.
  [[nodiscard]] virtual std::vector<std::uint8_t> command(std::size_t room) const = 0;
  /// Bytes of the whole answer, its header too, by what the header says.
  [[nodiscard]] virtual std::size_t length_of(std::span<const std::uint8_t> answer) const = 0;
  [[nodiscard]] virtual std::size_t most_room() const = 0;
  /// What is longer says how much it needs.
  [[nodiscard]] virtual std::size_t first_room() const = 0;
  /// For one try.
  [[nodiscard]] virtual unsigned deadline_ms() const = 0;
  /// It is asked again where the path failed, too.
  [[nodiscard]] virtual bool outlasts_paths() const = 0;

 protected:
  static std::uint8_t byte(std::size_t number, int index) {
    return static_cast<std::uint8_t>(number >> (8 * index));
  }
};

class ReportLuns final : public Question {
 public:
  [[nodiscard]] const char* name() const override { return "REPORT LUNS"; }
  [[nodiscard]] std::vector<std::uint8_t> command(std::size_t room) const override {
    return {0xa0, 0, 0, 0, 0, 0, byte(room, 3), byte(room, 2), byte(room, 1), byte(room, 0), 0, 0};
  }
  [[nodiscard]] std::size_t length_of(std::span<const std::uint8_t> answer) const override {
    std::size_t length = 0;
    for (const std::uint8_t part : answer.first(kLeast)) length = length << 8 | part;
    return kHeader + length;
  }
  /// Of all units that two bytes can tell, and their header.
  [[nodiscard]] std::size_t most_room() const override { return kHeader + std::size_t{65'536} * 8; }
  /// Enough for some 500 units.
  [[nodiscard]] std::size_t first_room() const override { return 4096; }
  [[nodiscard]] unsigned deadline_ms() const override { return 10'000; }
  [[nodiscard]] bool outlasts_paths() const override { return false; }

 private:
  static constexpr std::size_t kHeader = 8;
};

class Inquiry final : public Question {
 public:
  explicit Inquiry(std::uint8_t page) : page_(page) {}
  [[nodiscard]] const char* name() const override { return "INQUIRY"; }
  [[nodiscard]] std::vector<std::uint8_t> command(std::size_t room) const override {
    constexpr std::uint8_t kVitalProductData = 1;
    return {0x12, kVitalProductData, page_, byte(room, 1), byte(room, 0), 0};
  }
  [[nodiscard]] std::size_t length_of(std::span<const std::uint8_t> answer) const override {
    return kLeast + (std::size_t{answer[2]} << 8 | answer[3]);
  }
  /// The command has two bytes for it.
  [[nodiscard]] std::size_t most_room() const override { return 0xffff; }
  /// Some devices look at one byte of it alone.
  [[nodiscard]] std::size_t first_room() const override { return 252; }
  /// As the kernel's for a disk's reads and writes: what those wait out, this does, too.
  [[nodiscard]] unsigned deadline_ms() const override { return 30'000; }
  [[nodiscard]] bool outlasts_paths() const override { return true; }

 private:
  std::uint8_t page_;
};

/// What became of a command: an errno, or the SCSI status and that of the host's adapter, both 0
/// where the target did it.
struct Outcome {
  int number = 0;
  unsigned scsi = 0;
  unsigned host = 0;
  std::size_t missing = 0;  ///< bytes at the end that did not come
  [[nodiscard]] bool done() const { return number == 0 && scsi == 0 && host == 0; }
  /// The target has answered, though with something else: asked again, it may do it.
  [[nodiscard]] bool is_answer() const { return number == 0 && scsi != 0 && host == 0; }
  [[nodiscard]] bool is_path() const { return number == 0 && host != 0; }
};

/// Disks and sg take the third version of the interface.
Outcome send_v3(int device, std::vector<std::uint8_t>& command, unsigned deadline_ms,
                std::vector<std::uint8_t>& answer) {
  std::array<std::uint8_t, 64> sense{};
  sg_io_hdr_t io{};
  io.interface_id = 'S';
  io.dxfer_direction = SG_DXFER_FROM_DEV;
  io.cmd_len = static_cast<unsigned char>(command.size());
  io.cmdp = command.data();
  io.mx_sb_len = sense.size();
  io.sbp = sense.data();
  io.dxfer_len = static_cast<unsigned>(answer.size());
  io.dxferp = answer.data();
  io.timeout = deadline_ms;
  if (::ioctl(device, SG_IO, &io) != 0) return {.number = errno};
  return {.scsi = io.status,
          .host = io.host_status,
          .missing = static_cast<std::size_t>(std::max(io.resid, 0))};
}

/// bsg takes the fourth.
Outcome send_v4(int device, std::vector<std::uint8_t>& command, unsigned deadline_ms,
                std::vector<std::uint8_t>& answer) {
  std::array<std::uint8_t, 64> sense{};
  sg_io_v4 io{};
  io.guard = 'Q';
  io.protocol = BSG_PROTOCOL_SCSI;
  io.subprotocol = BSG_SUB_PROTOCOL_SCSI_CMD;
  io.request_len = static_cast<std::uint32_t>(command.size());
  io.request = reinterpret_cast<std::uint64_t>(command.data());
  io.max_response_len = sense.size();
  io.response = reinterpret_cast<std::uint64_t>(sense.data());
  io.din_xfer_len = static_cast<unsigned>(answer.size());
  io.din_xferp = reinterpret_cast<std::uint64_t>(answer.data());
  io.timeout = deadline_ms;
  if (::ioctl(device, SG_IO, &io) != 0) return {.number = errno};
  return {.scsi = io.device_status,
          .host = io.transport_status,
          .missing = static_cast<std::size_t>(std::max(io.din_resid, 0))};
}

Outcome send(int device, bool is_disk, const Question& question,
             std::vector<std::uint8_t>& answer) {
  std::vector<std::uint8_t> command = question.command(answer.size());
  const unsigned deadline = question.deadline_ms();
  if (is_disk) return send_v3(device, command, deadline, answer);
  const Outcome outcome = send_v4(device, command, deadline, answer);
  // sg says of what is bsg's that it is not there.
  if (outcome.number != EINVAL && outcome.number != ENOSYS) return outcome;
  return send_v3(device, command, deadline, answer);
}

Error refused(const Question& question, const Outcome& outcome) {
  if (outcome.number != 0) {
    return Error::from_errno(outcome.number, Operation::open, question.name());
  }
  return Error{.number = EIO,
               .message = std::string("the target does not answer ") + question.name() +
                          ": SCSI status " + std::to_string(outcome.scsi) + ", host status " +
                          std::to_string(outcome.host)};
}

Result<std::vector<std::uint8_t>> ask(int device, bool is_disk, const Question& question,
                                      std::size_t room) {
  std::vector<std::uint8_t> answer(room);
  Outcome outcome;
  for (int tries = 0; tries < kTries; ++tries) {
    outcome = send(device, is_disk, question, answer);
    if (outcome.done()) {
      answer.resize(answer.size() - std::min(outcome.missing, answer.size()));
      return answer;
    }
    if (!outcome.is_answer() && !(outcome.is_path() && question.outlasts_paths())) break;
  }
  return refused(question, outcome);
}

Result<std::vector<std::uint8_t>> ask(const std::string& path, const Question& question) {
  // Not for its content: a disk that is not ready is no matter.
  const UniqueDescriptor device(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!device || ::fstat(device.get(), &status) != 0) {
    return Error::from_errno(errno, Operation::open);
  }
  const bool is_disk = S_ISBLK(status.st_mode);
  auto answer = ask(device.get(), is_disk, question, question.first_room());
  // Whoever reads it sees what is too short.
  if (!answer || answer.value().size() < kLeast) return answer;
  const std::size_t length = question.length_of(answer.value());
  if (length > question.first_room()) {
    answer = ask(device.get(), is_disk, question, std::min(length, question.most_room()));
  }
  if (answer) answer.value().resize(std::min(answer.value().size(), length));
  return answer;
}

}  // namespace

Result<std::vector<std::uint8_t>> report_luns(const std::string& path) {
  return ask(path, ReportLuns());
}

Result<std::vector<std::uint8_t>> inquire(const std::string& path, std::uint8_t page) {
  return ask(path, Inquiry(page));
}

}  // namespace blockhaul
