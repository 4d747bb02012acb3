#include "volume/rbd_task.h"

namespace blockhaul {

Error rbd_unanswered(std::chrono::seconds patience) {
  return Error{.number = ETIMEDOUT,
               .message = "the cluster's storage did not answer within " +
                          std::to_string(patience.count()) + " s",
               .code = "ERR_UNREACHABLE"};
}

Error rbd_given_up() { return Error::from_errno(ECANCELED, Operation::open); }

int beat_pulse(std::uint64_t /*done*/, std::uint64_t /*total*/, void* context) noexcept {
  static_cast<Pulse*>(context)->beat();
  return 0;
}

}  // namespace blockhaul
