// What a request costs besides its bytes.

#include <sys/mman.h>
#include <unistd.h>

#include <future>
#include <memory>
#include <vector>

#include "io/reactor_thread.h"
#include "memory.h"

namespace blockhaul::bench {
namespace {

constexpr std::size_t kBlock = 4096;

/// A reactor, or the reason for none.
std::unique_ptr<ReactorThread> start(benchmark::State& state, ReactorKind kind) {
  auto started = ReactorThread::start(kind, 64);
  if (!started) {
    state.SkipWithError("there is no such reactor here");
    return nullptr;
  }
  return std::move(started.value());
}

/// A task that another thread waits for: to the reactor and back.
void post_and_wait(benchmark::State& state, ReactorKind kind) {
  const auto thread = start(state, kind);
  if (thread == nullptr) return;
  for (auto _ : state) {
    std::promise<void> done;
    Task task{
        .run =
            [](Task& ran) noexcept { static_cast<std::promise<void>*>(ran.context)->set_value(); },
        .context = &done};
    thread->reactor().post(task);
    done.get_future().wait();
  }
}
BENCHMARK_CAPTURE(post_and_wait, uring, ReactorKind::uring)
    ->Name("reactor, post and wait, io_uring")
    ->MeasureProcessCPUTime()
    ->UseRealTime();
BENCHMARK_CAPTURE(post_and_wait, threads, ReactorKind::threads)
    ->Name("reactor, post and wait, threads")
    ->MeasureProcessCPUTime()
    ->UseRealTime();

/// Reads of a block that is in memory already, `depth` at once: each that is done submits the next.
struct Reads {
  Reactor& reactor;
  int descriptor;
  std::uint64_t left;
  std::uint64_t in_flight = 0;
  std::promise<void> done{};
  std::vector<FileOperation> operations;
  std::vector<std::byte> memory;

  Reads(Reactor& wanted, int file, std::uint64_t count, std::size_t depth)
      : reactor(wanted), descriptor(file), left(count), operations(depth), memory(depth * kBlock) {}

  void begin() {
    for (std::size_t index = 0; index < operations.size(); index++) {
      FileOperation& operation = operations[index];
      operation.kind = FileOperation::Kind::read;
      operation.descriptor = descriptor;
      operation.data = memory.data() + index * kBlock;
      operation.length = kBlock;
      operation.context = this;
      operation.on_done = [](FileOperation& ended, std::int64_t) noexcept {
        auto& reads = *static_cast<Reads*>(ended.context);
        reads.in_flight--;
        reads.next(ended);
      };
      next(operation);
    }
  }
  void next(FileOperation& operation) {
    if (left > 0) {
      left--;
      in_flight++;
      reactor.submit(operation);
    } else if (in_flight == 0) {
      in_flight = 1;  // only once
      done.set_value();
    }
  }
};

void read_blocks(benchmark::State& state, ReactorKind kind) {
  constexpr std::uint64_t kCount = 4096;
  const auto thread = start(state, kind);
  if (thread == nullptr) return;
  const int file = memfd_create("blockhaul-bench", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, kBlock) != 0) {
    state.SkipWithError("no file in memory");
    return;
  }
  for (auto _ : state) {
    Reads reads(thread->reactor(), file, kCount, static_cast<std::size_t>(state.range(0)));
    Task task{.run = [](Task& ran) noexcept { static_cast<Reads*>(ran.context)->begin(); },
              .context = &reads};
    thread->reactor().post(task);
    reads.done.get_future().wait();
  }
  close(file);
  state.counters["operations"] = static_cast<double>(kCount);
}
BENCHMARK_CAPTURE(read_blocks, uring, ReactorKind::uring)
    ->Name("reactor, reads of 4 KiB, io_uring, at once")
    ->Arg(1)
    ->Arg(64)
    ->MeasureProcessCPUTime()
    ->UseRealTime();
BENCHMARK_CAPTURE(read_blocks, threads, ReactorKind::threads)
    ->Name("reactor, reads of 4 KiB, threads, at once")
    ->Arg(1)
    ->Arg(64)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

}  // namespace
}  // namespace blockhaul::bench
