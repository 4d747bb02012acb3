#include "addon/running_copy.h"

#include <mutex>
#include <vector>

#include "addon/arguments.h"
#include "addon/journal_handle.h"
#include "addon/volume_handle.h"

namespace blockhaul {

RunningCopy::RunningCopy(Napi::Env env, VolumeHandle& source, VolumeHandle& target,
                         std::shared_ptr<Journal> journal, const CopyOptions& options)
    : source_handle_(source),
      target_handle_(target),
      kept_source_(Napi::Persistent(source.Value())),
      kept_target_(Napi::Persistent(target.Value())),
      source_(source.open_volume(env, Operation::read)),
      target_(target.open_volume(env, Operation::write)),
      journal_(std::move(journal)),
      open_(env),
      options_(options) {
  source_handle_.begin();
  target_handle_.begin();
}

void RunningCopy::start(Napi::Env env) {
  self_ = shared_from_this();
  const auto& loop = open_.loop();
  auto threads = CopyThreads::start(
      {source_, target_, journal_}, options_,
      [this, loop](const CopyOutcome& outcome) {
        loop->post([this, outcome](Napi::Env js) { ended(js, outcome); });
      },
      [this, loop] { loop->post([this](Napi::Env js) { drained(js); }); });
  if (!threads) return ended(env, CopyOutcome{.error = threads.error()});
  threads_ = std::move(threads.value());
}

/// On JavaScript's thread, when the copy's own threads have nothing left to do, or are abandoned.
void RunningCopy::ended(Napi::Env env, const CopyOutcome& outcome) {
  last_ = count();
  abandoned_ = outcome.abandoned;
  if (outcome.error) {
    const Side side = outcome.error->side;
    const std::string volume = side == Side::source   ? source_->info().name
                               : side == Side::target ? target_->info().name
                                                      : "";
    open_.reject(to_js(env, *outcome.error, volume));
  } else {
    open_.resolve(report(env, outcome));
  }
  if (!abandoned_) return drained(env);
  source_handle_.abandon();
  target_handle_.abandon();
}

/// On JavaScript's thread, when nothing of the copy is in flight any more.
void RunningCopy::drained(Napi::Env env) {
  const std::shared_ptr<RunningCopy> alive = std::move(self_);
  threads_.reset();
  source_.reset();
  target_.reset();
  journal_.reset();
  if (abandoned_) {
    source_handle_.recover();
    target_handle_.recover();
    abandoned_ = false;
  }
  source_handle_.end(env);
  target_handle_.end(env);
  kept_source_.Reset();
  kept_target_.Reset();
}

RunningCopy::Counters RunningCopy::count() const {
  if (last_) return *last_;
  if (!threads_) return {};
  const Progress& progress = threads_->job().progress();
  return {.state = progress.state,
          .read = progress.read,
          .written = progress.written,
          .zeroed = progress.zeroed,
          .skipped = progress.skipped,
          .retries = progress.retries,
          .elapsed_ms = std::chrono::duration<double, std::milli>(Clock::now() - began_).count()};
}

Napi::Object RunningCopy::progress(Napi::Env env) const {
  const Counters counters = count();
  Napi::Object object = Napi::Object::New(env);
  object.Set("state", std::string(name_of(counters.state)));
  object.Set("total", to_number(env, options_.size));
  const std::uint64_t moved = counters.written + counters.zeroed + counters.skipped;
  object.Set("done", to_number(env, options_.begin + moved));
  object.Set("begin", to_number(env, options_.begin));
  object.Set("read", to_number(env, counters.read));
  object.Set("written", to_number(env, counters.written));
  object.Set("zeroed", to_number(env, counters.zeroed));
  object.Set("skipped", to_number(env, counters.skipped));
  object.Set("retries", to_number(env, counters.retries));
  object.Set("elapsedMs", counters.elapsed_ms);
  return object;
}

Napi::Object RunningCopy::report(Napi::Env env, const CopyOutcome& outcome) const {
  Napi::Object object = progress(env);
  if (!outcome.digest.empty()) object.Set("digest", outcome.digest);
  object.Set("bad", to_js(env, outcome.bad));
  object.Set("mapFailures", to_number(env, outcome.map_failures));
  object.Set("io", std::string(threads_->io()));
  object.Set("requestSize", to_number(env, options_.request_size));
  object.Set("requests", to_number(env, options_.requests));
  object.Set("threads", to_number(env, options_.lanes));
  return object;
}

void RunningCopy::cancel() {
  if (!threads_) return;
  threads_->job().cancel();
  if (source_) source_->interrupt();
}

void RunningCopy::set_bandwidth_limit(std::uint64_t bytes_per_second) {
  if (threads_) threads_->job().set_bandwidth_limit(bytes_per_second);
}

void RunningCopy::set_iops_limit(std::uint64_t pieces_per_second) {
  if (threads_) threads_->job().set_iops_limit(pieces_per_second);
}

void RunningCopy::set_paused(bool paused) {
  if (threads_) threads_->job().set_paused(paused);
}

void RunningCopy::begin_shut_down() { cancel(); }

/// What refers to JavaScript stays as it is; what holds descriptors and memory goes. What hangs may
/// hang for ever: its memory, volumes and threads are left to the end of the process.
void RunningCopy::await_shut_down() {
  if (abandoned_) {
    // Environments of several threads may end at once.
    static std::mutex mutex;
    static auto* const hanging = new std::vector<std::shared_ptr<RunningCopy>>();
    const std::lock_guard lock(mutex);
    hanging->push_back(shared_from_this());
    return;
  }
  threads_.reset();
  source_.reset();
  target_.reset();
}

}  // namespace blockhaul
