#include "volume/write_gate.h"

namespace blockhaul {

bool WriteGate::enter(Request& request, Kind kind, void (*resume)(Task&) noexcept) {
  const std::lock_guard lock(mutex_);
  // Behind a line even where the kind is right: else a steady stream would hold the line up for
  // ever.
  if (line_.empty() && (under_way_ == 0 || (kind_ == kind && kind != Kind::alone))) {
    kind_ = kind;
    ++under_way_;
    return true;
  }
  request.task.run = resume;
  request.task.context = &request;
  line_.push_back({&request, kind});
  return false;
}

void WriteGate::leave() {
  std::deque<Waiting> next;
  {
    const std::lock_guard lock(mutex_);
    if (--under_way_ > 0 || line_.empty()) return;
    kind_ = line_.front().kind;
    do {
      next.push_back(line_.front());
      line_.pop_front();
    } while (kind_ != Kind::alone && !line_.empty() && line_.front().kind == kind_);
    under_way_ = static_cast<unsigned>(next.size());
  }
  for (const Waiting& waiting : next) waiting.request->reactor->post(waiting.request->task);
}

}  // namespace blockhaul
