#include "copy/checkpointer.h"

#include <algorithm>
#include <utility>

#include "core/units.h"

namespace blockhaul {
namespace {

/// Takes so many chunks from the front of a list.
std::vector<ChunkRun> take_front(std::vector<ChunkRun>& runs, std::uint64_t chunks) {
  std::vector<ChunkRun> taken;
  std::size_t whole = 0;
  while (whole < runs.size() && runs[whole].count <= chunks) chunks -= runs[whole++].count;
  const auto end = runs.begin() + static_cast<std::ptrdiff_t>(whole);
  taken.assign(runs.begin(), end);
  runs.erase(runs.begin(), end);
  if (chunks > 0 && !runs.empty()) {
    taken.push_back({chunks, runs.front().value});
    runs.front().count -= chunks;
  }
  return taken;
}

}  // namespace

Checkpointer::Checkpointer(Volume& target, Journal* journal, std::uint64_t begin, std::uint64_t end)
    : target_(target), journal_(journal), end_(end), frontier_(begin), recorded_(begin) {
  flush_.operation = Operation::flush;
  flush_.context = this;
  flush_.on_done = [](Request& request) noexcept {
    static_cast<Checkpointer*>(request.context)->flushed(request.error);
  };
  append_.context = this;
  append_.on_done = [](JournalAppend& append, int error) noexcept {
    static_cast<Checkpointer*>(append.context)->appended(error);
  };
}

void Checkpointer::finished(std::uint64_t offset, std::uint64_t length) {
  const std::lock_guard lock(mutex_);
  frontier_.finished(offset, length);
}

void Checkpointer::add_chunks(const ChunkRun& run) {
  if (journal_ == nullptr) return;
  const std::lock_guard lock(mutex_);
  append_run(chunks_, run);
}

void Checkpointer::add_bad(Range range) {
  if (journal_ == nullptr) return;
  const std::lock_guard lock(mutex_);
  bad_.push_back(range);
}

/// How much of what is finished can be recorded.
std::uint64_t Checkpointer::boundary() const {
  const std::uint64_t position = frontier_.position();
  return position >= end_ ? end_ : align_down(position, kChunk);
}

bool Checkpointer::has_news() const {
  const std::lock_guard lock(mutex_);
  return boundary() > recorded_;
}

void Checkpointer::start(Reactor& reactor, OnDone on_done) {
  reactor_ = &reactor;
  on_done_ = std::move(on_done);
  began_ = reactor.now();
  take_frontier();
  waits_for_ = Operation::flush;
  target_.submit(reactor, flush_);
}

void Checkpointer::take_frontier() {
  const std::lock_guard lock(mutex_);
  const std::uint64_t frontier = boundary();
  advances_ = journal_ != nullptr && frontier > recorded_;
  if (!advances_) return;
  append_.frontier = frontier;
  append_.runs = take_front(chunks_, divide_up(frontier, kChunk) - divide_up(recorded_, kChunk));
  const auto behind = std::partition(
      bad_.begin(), bad_.end(), [frontier](const Range& range) { return range.offset < frontier; });
  append_.bad.assign(bad_.begin(), behind);
  bad_.erase(bad_.begin(), behind);
  recorded_ = frontier;
}

void Checkpointer::flushed(int error) {
  if (error != 0) {
    Error failure = Error::from_errno(error, Operation::flush);
    failure.side = Side::target;
    return done(std::move(failure));
  }
  if (!advances_) return done(std::nullopt);
  waits_for_ = Operation::write;
  journal_->append(*reactor_, append_);
}

void Checkpointer::appended(int error) {
  if (error == 0) return done(std::nullopt);
  Error failure = Error::from_errno(error, Operation::write, "the journal cannot be written");
  failure.code = "ERR_JOURNAL";
  done(std::move(failure));
}

void Checkpointer::done(std::optional<Error> error) {
  began_.reset();
  std::exchange(on_done_, nullptr)(std::move(error));
}

}  // namespace blockhaul
