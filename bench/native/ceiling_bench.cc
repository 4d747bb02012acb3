// The whole engine without any storage: what it can do at the most, and what it costs.

#include <future>
#include <memory>

#include "copy/copy_threads.h"
#include "io/reactor_thread.h"
#include "memory.h"
#include "volume/synthetic_volume.h"

namespace blockhaul::bench {
namespace {

/// Enough for a copy's start, with the first touch of its buffers, to count as little as it does in
/// a real one.
constexpr std::uint64_t kSize = 2 * kGiB;

/// Reads are done at once and leave the buffer as it is: a disk that costs nothing. (`pattern:` has
/// to compute its bytes, which is no part of the engine.)
class UntouchedVolume final : public Volume {
 public:
  UntouchedVolume() {
    info_.kind = "untouched";
    info_.name = "untouched:";
    info_.identity = "untouched:";
    info_.size = kSize;
  }
  [[nodiscard]] const VolumeInfo& info() const override { return info_; }
  void submit(Reactor& reactor, Request& request) override {
    // What a look at zeros stops at, for it is data.
    for (std::size_t at = 0; at < request.data.size(); at += kZeroBlock) {
      request.data[at] = std::byte{1};
    }
    complete_later(reactor, request, 0);
  }

 private:
  VolumeInfo info_;
};

void copy_to_null(benchmark::State& state, const std::shared_ptr<Volume>& source,
                  DigestKind digest) {
  const CopyOptions options{.size = kSize, .digest = digest};
  for (auto _ : state) {
    std::promise<CopyOutcome> outcome;
    const std::shared_ptr<Volume> target = make_null_volume(kSize);
    auto copy = CopyThreads::start({source, target, nullptr}, options, [&](CopyOutcome result) {
      outcome.set_value(std::move(result));
    });
    if (!copy || outcome.get_future().get().error) {
      state.SkipWithError("the copy failed");
      return;
    }
  }
  count_bytes(state, kSize);
}

void copy_pattern(benchmark::State& state, DigestKind digest) {
  copy_to_null(state, make_pattern_volume(kSize, 1), digest);
}
BENCHMARK_CAPTURE(copy_pattern, xxh3, DigestKind::xxh3)
    ->Name("engine, pattern to null, xxh3")
    ->MeasureProcessCPUTime()
    ->UseRealTime();
BENCHMARK_CAPTURE(copy_pattern, none, DigestKind::none)
    ->Name("engine, pattern to null, no digest")
    ->MeasureProcessCPUTime()
    ->UseRealTime();

void copy_untouched(benchmark::State& state, DigestKind digest) {
  copy_to_null(state, std::make_shared<UntouchedVolume>(), digest);
}
BENCHMARK_CAPTURE(copy_untouched, xxh3, DigestKind::xxh3)
    ->Name("engine, untouched to null, xxh3")
    ->MeasureProcessCPUTime()
    ->UseRealTime();
BENCHMARK_CAPTURE(copy_untouched, none, DigestKind::none)
    ->Name("engine, untouched to null, no digest")
    ->MeasureProcessCPUTime()
    ->UseRealTime();

/// What the pattern itself takes, request by request.
void make_pattern(benchmark::State& state) {
  Arena arena;
  const auto volume = make_pattern_volume(kSize, 1);
  const auto thread = ReactorThread::start(ReactorKind::threads, 1);
  if (!thread) {
    state.SkipWithError("no reactor");
    return;
  }
  std::uint64_t offset = 0;
  for (auto _ : state) {
    std::promise<void> done;
    Request request{.offset = offset, .length = kPiece, .data = arena.next()};
    request.context = &done;
    request.on_done = [](Request& ended) noexcept {
      static_cast<std::promise<void>*>(ended.context)->set_value();
    };
    volume->submit(thread.value()->reactor(), request);
    done.get_future().wait();
    offset = (offset + kPiece) % kSize;
  }
  count_bytes(state, kPiece);
}
BENCHMARK(make_pattern)->Name("pattern alone")->MeasureProcessCPUTime()->UseRealTime();

}  // namespace
}  // namespace blockhaul::bench
