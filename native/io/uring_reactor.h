#pragma once

#include <liburing.h>

#include "io/reactor.h"

namespace blockhaul {

/// The reactor over io_uring. Other threads wake it through an eventfd that the ring reads.
class UringReactor final : public Reactor {
 public:
  static Result<std::unique_ptr<Reactor>> create(unsigned operations);
  ~UringReactor() override;

  void submit(FileOperation& operation) override;
  [[nodiscard]] std::string_view name() const override { return "io_uring"; }

 protected:
  void wait(const Clock::time_point* deadline) override;
  void wake() override;
  void enter() override;

 private:
  UringReactor() = default;
  io_uring_sqe* next_entry();
  void prepare(FileOperation& operation);
  void watch_for_wake();
  void hand_over();
  void reap();

  io_uring ring_{};
  bool ring_made_ = false;
  bool disabled_ = false;  ///< the ring waits for the thread that will run it
  unsigned limit_ =
      0;  ///< operations that the kernel may hold: then no completion finds its queue full
  unsigned in_flight_ = 0;
  FileOperation* backlog_first_ = nullptr;  ///< what waits for a place
  FileOperation* backlog_last_ = nullptr;
  int wake_descriptor_ = -1;
  std::uint64_t wake_count_ = 0;
};

}  // namespace blockhaul
