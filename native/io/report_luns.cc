#include "io/report_luns.h"

#include <fcntl.h>
#include <linux/bsg.h>
#include <scsi/sg.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>

#include "io/unique_descriptor.h"

namespace blockhaul {
namespace {

constexpr unsigned kDeadlineMs = 10'000;
constexpr std::size_t kHeader = 8;
/// Enough for some 500 units; a target with more says how much it needs.
constexpr std::size_t kFirstRoom = 4096;
/// Of all units that two bytes can tell, and their header.
constexpr std::size_t kMostRoom = kHeader + std::size_t{65'536} * 8;
/// A target may have something else to say first: that it was reset, that its units have changed.
constexpr int kTries = 3;

using Command = std::array<std::uint8_t, 12>;

Command command_for(std::size_t room) {
  const auto byte = [room](int shift) { return static_cast<std::uint8_t>(room >> shift); };
  return {0xa0, 0, 0, 0, 0, 0, byte(24), byte(16), byte(8), byte(0), 0, 0};
}

/// What became of a command: an errno, or the SCSI status and that of the host's adapter, both 0
/// where the target did it.
struct Outcome {
  int number = 0;
  unsigned scsi = 0;
  unsigned host = 0;
  [[nodiscard]] bool done() const { return number == 0 && scsi == 0 && host == 0; }
  /// The target has answered, though with something else: asked again, it may do it.
  [[nodiscard]] bool is_answer() const { return number == 0 && scsi != 0 && host == 0; }
};

/// Disks and sg take the third version of the interface.
Outcome send_v3(int device, Command& command, std::vector<std::uint8_t>& answer) {
  std::array<std::uint8_t, 64> sense{};
  sg_io_hdr_t io{};
  io.interface_id = 'S';
  io.dxfer_direction = SG_DXFER_FROM_DEV;
  io.cmd_len = command.size();
  io.cmdp = command.data();
  io.mx_sb_len = sense.size();
  io.sbp = sense.data();
  io.dxfer_len = static_cast<unsigned>(answer.size());
  io.dxferp = answer.data();
  io.timeout = kDeadlineMs;
  if (::ioctl(device, SG_IO, &io) != 0) return {.number = errno};
  return {.scsi = io.status, .host = io.host_status};
}

/// bsg takes the fourth.
Outcome send_v4(int device, Command& command, std::vector<std::uint8_t>& answer) {
  std::array<std::uint8_t, 64> sense{};
  sg_io_v4 io{};
  io.guard = 'Q';
  io.protocol = BSG_PROTOCOL_SCSI;
  io.subprotocol = BSG_SUB_PROTOCOL_SCSI_CMD;
  io.request_len = command.size();
  io.request = reinterpret_cast<std::uint64_t>(command.data());
  io.max_response_len = sense.size();
  io.response = reinterpret_cast<std::uint64_t>(sense.data());
  io.din_xfer_len = static_cast<unsigned>(answer.size());
  io.din_xferp = reinterpret_cast<std::uint64_t>(answer.data());
  io.timeout = kDeadlineMs;
  if (::ioctl(device, SG_IO, &io) != 0) return {.number = errno};
  return {.scsi = io.device_status, .host = io.transport_status};
}

Outcome send(int device, bool is_disk, std::vector<std::uint8_t>& answer) {
  Command command = command_for(answer.size());
  if (is_disk) return send_v3(device, command, answer);
  const Outcome outcome = send_v4(device, command, answer);
  // sg says of what is bsg's that it is not there.
  if (outcome.number != EINVAL && outcome.number != ENOSYS) return outcome;
  return send_v3(device, command, answer);
}

Error refused(const Outcome& outcome) {
  if (outcome.number != 0) {
    return Error::from_errno(outcome.number, Operation::open, "REPORT LUNS");
  }
  return Error{.number = EIO,
               .message = "the target does not answer REPORT LUNS: SCSI status " +
                          std::to_string(outcome.scsi) + ", host status " +
                          std::to_string(outcome.host)};
}

Result<std::vector<std::uint8_t>> ask(int device, bool is_disk, std::size_t room) {
  std::vector<std::uint8_t> answer(room);
  Outcome outcome;
  for (int tries = 0; tries < kTries; ++tries) {
    outcome = send(device, is_disk, answer);
    if (outcome.done()) return answer;
    if (!outcome.is_answer()) break;
  }
  return refused(outcome);
}

/// Bytes of the answer, its header too, by what the header says.
std::size_t length_of(const std::vector<std::uint8_t>& answer) {
  std::size_t length = 0;
  for (int i = 0; i < 4; ++i) length = length << 8 | answer[static_cast<std::size_t>(i)];
  return kHeader + length;
}

}  // namespace

Result<std::vector<std::uint8_t>> report_luns(const std::string& path) {
  // Not for its content: a disk that is not ready is no matter.
  const UniqueDescriptor device(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!device || ::fstat(device.get(), &status) != 0) {
    return Error::from_errno(errno, Operation::open);
  }
  const bool is_disk = S_ISBLK(status.st_mode);
  auto answer = ask(device.get(), is_disk, kFirstRoom);
  if (answer && length_of(answer.value()) > kFirstRoom) {
    const std::size_t room = std::min(length_of(answer.value()), kMostRoom);
    answer = ask(device.get(), is_disk, room);
  }
  if (answer) answer.value().resize(std::min(answer.value().size(), length_of(answer.value())));
  return answer;
}

}  // namespace blockhaul
