#include "addon/running_copy.h"

#include "addon/arguments.h"
#include "addon/volume_handle.h"

namespace blockhaul {

RunningCopy::RunningCopy(Napi::Env env, VolumeHandle& source, VolumeHandle& target)
    : source_handle_(source),
      target_handle_(target),
      kept_source_(Napi::Persistent(source.Value())),
      kept_target_(Napi::Persistent(target.Value())),
      source_(source.open_volume(env, Operation::read)),
      target_(target.open_volume(env, Operation::write)),
      open_(env) {
  source_handle_.begin();
  target_handle_.begin();
}

void RunningCopy::start(Napi::Env env, const CopyOptions& options) {
  self_ = shared_from_this();
  // The loop may go before the copy's last word: the lambda must not be what keeps the copy alive.
  auto threads = CopyThreads::start(
      source_, target_, options, [this, loop = open_.loop()](const CopyOutcome& outcome) {
        loop->post([this, outcome](Napi::Env js) { ended(js, outcome); });
      });
  if (!threads) return ended(env, CopyOutcome{threads.error(), {}, 0});
  threads_ = std::move(threads.value());
}

/// On JavaScript's thread, when the copy's own threads have nothing left to do.
void RunningCopy::ended(Napi::Env env, const CopyOutcome& outcome) {
  const std::shared_ptr<RunningCopy> alive = std::move(self_);
  ended_ = Clock::now();
  if (outcome.error) {
    const Side side = outcome.error->side;
    const std::string volume = side == Side::source   ? source_->info().name
                               : side == Side::target ? target_->info().name
                                                      : "";
    open_.reject(to_js(env, *outcome.error, volume));
  } else {
    open_.resolve(report(env, outcome));
  }
  source_.reset();
  target_.reset();
  source_handle_.end(env);
  target_handle_.end(env);
  kept_source_.Reset();
  kept_target_.Reset();
}

Napi::Object RunningCopy::progress(Napi::Env env) const {
  Napi::Object object = Napi::Object::New(env);
  if (!threads_) return object;
  const CopyJob& job = threads_->job();
  const Progress& progress = job.progress();
  const auto elapsed = ended_.value_or(Clock::now()) - began_;
  object.Set("state", std::string(name_of(progress.state.load())));
  object.Set("total", to_number(env, job.options().size));
  object.Set("done", to_number(env, progress.done()));
  object.Set("read", to_number(env, progress.read));
  object.Set("written", to_number(env, progress.written));
  object.Set("zeroed", to_number(env, progress.zeroed));
  object.Set("skipped", to_number(env, progress.skipped));
  object.Set("elapsedMs", std::chrono::duration<double, std::milli>(elapsed).count());
  return object;
}

Napi::Object RunningCopy::report(Napi::Env env, const CopyOutcome& outcome) const {
  Napi::Object object = progress(env);
  const CopyOptions& options = threads_->job().options();
  if (!outcome.digest.empty()) object.Set("digest", outcome.digest);
  object.Set("io", std::string(threads_->io()));
  object.Set("requestSize", to_number(env, options.request_size));
  object.Set("requests", to_number(env, options.requests));
  object.Set("threads", to_number(env, options.lanes));
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

void RunningCopy::await_shut_down() { threads_.reset(); }

}  // namespace blockhaul
