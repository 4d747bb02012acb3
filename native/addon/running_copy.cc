#include "addon/running_copy.h"

#include "addon/arguments.h"
#include "addon/volume_handle.h"

namespace blockhaul {

RunningCopy::RunningCopy(Napi::Env env, VolumeHandle& source, VolumeHandle& target,
                         const CopyOptions& options)
    : source_handle_(source),
      target_handle_(target),
      kept_source_(Napi::Persistent(source.Value())),
      kept_target_(Napi::Persistent(target.Value())),
      source_(source.open_volume(env, Operation::read)),
      target_(target.open_volume(env, Operation::write)),
      open_(env),
      options_(options) {
  source_handle_.begin();
  target_handle_.begin();
}

void RunningCopy::start(Napi::Env env) {
  self_ = shared_from_this();
  auto threads = CopyThreads::start(
      source_, target_, options_, [this, loop = open_.loop()](const CopyOutcome& outcome) {
        loop->post([this, outcome](Napi::Env js) { ended(js, outcome); });
      });
  if (!threads) return ended(env, CopyOutcome{threads.error(), {}, 0});
  threads_ = std::move(threads.value());
}

/// On JavaScript's thread, when the copy's own threads have nothing left to do.
void RunningCopy::ended(Napi::Env env, const CopyOutcome& outcome) {
  const std::shared_ptr<RunningCopy> alive = std::move(self_);
  last_ = count();
  if (outcome.error) {
    const Side side = outcome.error->side;
    const std::string volume = side == Side::source   ? source_->info().name
                               : side == Side::target ? target_->info().name
                                                      : "";
    open_.reject(to_js(env, *outcome.error, volume));
  } else {
    open_.resolve(report(env, outcome));
  }
  threads_.reset();
  source_.reset();
  target_.reset();
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
          .elapsed_ms = std::chrono::duration<double, std::milli>(Clock::now() - began_).count()};
}

Napi::Object RunningCopy::progress(Napi::Env env) const {
  const Counters counters = count();
  Napi::Object object = Napi::Object::New(env);
  object.Set("state", std::string(name_of(counters.state)));
  object.Set("total", to_number(env, options_.size));
  object.Set("done", to_number(env, counters.written + counters.zeroed + counters.skipped));
  object.Set("read", to_number(env, counters.read));
  object.Set("written", to_number(env, counters.written));
  object.Set("zeroed", to_number(env, counters.zeroed));
  object.Set("skipped", to_number(env, counters.skipped));
  object.Set("elapsedMs", counters.elapsed_ms);
  return object;
}

Napi::Object RunningCopy::report(Napi::Env env, const CopyOutcome& outcome) const {
  Napi::Object object = progress(env);
  if (!outcome.digest.empty()) object.Set("digest", outcome.digest);
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

void RunningCopy::begin_shut_down() { cancel(); }

/// What refers to JavaScript stays as it is; what holds descriptors and memory goes.
void RunningCopy::await_shut_down() {
  threads_.reset();
  source_.reset();
  target_.reset();
}

}  // namespace blockhaul
