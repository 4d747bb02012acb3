#include "proof/machine.h"

#include <algorithm>

#include "core/units.h"
#include "volume/synthetic_volume.h"

namespace blockhaul::test {
namespace {

SimDiskOptions disk_options(const CopyShape& shape, bool is_block, std::uint64_t seed) {
  return {.sector = shape.sector,
          .grows = !is_block,
          .refused_zero_steps = shape.refused_zero_steps,
          .longest_delay = shape.longest_delay,
          .short_one_in = shape.short_one_in,
          .interrupt_one_in = shape.interrupt_one_in,
          .seed = seed};
}

SimDiskOptions source_options(const CopyShape& shape, std::uint64_t seed) {
  SimDiskOptions options = disk_options(shape, shape.source_is_block, seed);
  options.read_only = true;
  return options;
}

/// A run for each chunk.
std::vector<DigestValue> one_by_one(const std::vector<ChunkRun>& runs) {
  std::vector<DigestValue> chunks;
  for (const ChunkRun& run : runs) chunks.insert(chunks.end(), run.count, run.value);
  return chunks;
}

}  // namespace

SparseContent sparse_content(std::uint64_t size, unsigned pieces, std::mt19937_64& random) {
  SparseContent content{.image = SimImage(size)};
  std::vector<std::pair<std::uint64_t, std::uint64_t>> data;
  for (unsigned i = 0; i < pieces && size > 0; ++i) {
    const std::uint64_t unit = std::uint64_t{512} << (random() % 8);
    const std::uint64_t offset = align_down(random() % size, unit);
    const std::uint64_t longest = std::uint64_t{512} << (random() % 10);
    const std::uint64_t length = std::min(1 + random() % longest, size - offset);
    content.image.write(offset, random_bytes(length, random()));
    data.emplace_back(offset, offset + length);
  }
  // What the map calls data may hold zeros; what it calls a hole never holds data.
  if (size > 0 && random() % 2 == 0) {
    const std::uint64_t offset = random() % size;
    data.emplace_back(offset, std::min(size, offset + 1 + random() % (512 * kKiB)));
  }
  std::sort(data.begin(), data.end());
  std::vector<Extent> named;
  for (const auto& [begin, end] : data) {
    const std::uint64_t from = named.empty() ? begin : std::max(begin, named.back().end());
    if (from < end) named.push_back({from, end - from, ExtentKind::data});
  }
  content.extents = cover_range(named, 0, size, ExtentKind::hole);
  return content;
}

std::vector<std::string> reference_chunks(DigestKind kind, const SimImage& image) {
  std::vector<std::string> chunks;
  if (kind == DigestKind::none) return chunks;
  for (std::uint64_t at = 0; at < image.size(); at += kChunk) {
    const std::uint64_t length = std::min(kChunk, image.size() - at);
    chunks.push_back(reference_chunk_digest(kind, image.bytes(at, length)));
  }
  return chunks;
}

Remains untouched(const CopyShape& shape, const SparseContent& content, std::uint64_t salt) {
  const auto fill = shape.proven_zero ? SimImage::Fill::zeros : SimImage::Fill::noise;
  return {
      .source = content.image,
      .target = SimImage(shape.target_size, fill),
      .journal = SimJournal::fresh({.size = content.size(), .digest = shape.options.digest}, salt)};
}

Machine::Machine(const CopyShape& shape, const SparseContent& content, const Remains& remains,
                 std::uint64_t seed)
    : shape_(shape),
      content_(content),
      seed_(seed),
      random_(seed),
      target_before_(remains.target.cache),
      source_(source_options(shape, seed * 4 + 1), remains.source),
      target_(disk_options(shape, shape.target_is_block, seed * 4 + 2), remains.target),
      journal_disk_(disk_options(shape, false, seed * 4 + 3), remains.journal),
      world_(seed) {
  source_volume_ = open_volume(world_, source_,
                               {.size = content.size(),
                                .is_block = shape.source_is_block,
                                .direct = shape.direct,
                                .sector = shape.sector,
                                .name = "source:"});
  if (shape.is_mapped)
    mapped_source_ = std::make_unique<MappedVolume>(*source_volume_, content.extents, 3);
  target_volume_ = open_volume(world_, target_,
                               {.size = shape.target_size,
                                .is_block = shape.target_is_block,
                                .writes = true,
                                .direct = shape.direct,
                                .sector = shape.sector,
                                .proven_zero = shape.proven_zero,
                                .name = "target:"});
}

Machine::~Machine() {
  if (copy_ && !is_off_) power_off();
}

Status Machine::open_journal() {
  auto opened = journal_disk_.open(world_);
  if (!opened) return opened.error();
  journal_ = std::move(opened.value());
  return success();
}

Status Machine::rewind(std::uint64_t frontier) {
  const Status done = journal_->rewind(frontier);
  journal_disk_.take_over_appended();
  journal_disk_.make_durable();
  return done;
}

Result<std::uint64_t> Machine::verify(bool at_source, std::uint64_t from) {
  const std::uint64_t frontier = journal_->frontier();
  if (from >= frontier) return frontier;
  if (shape_.options.digest == DigestKind::none) return from;
  JournalHeader header = journal_->header();
  header.base = from;
  SimJournal record(disk_options(shape_, false, seed_ + 5), SimJournal::fresh(header, 5));
  auto pass = record.open(world_);
  if (!pass) return pass.error();
  const auto nowhere = make_null_volume(content_.size());
  CopyOptions options = shape_.options;
  options.size = content_.size();
  options.begin = from;
  options.end = frontier;
  options.use_extents = false;
  options.salvage = false;
  options.bandwidth_limit = 0;
  options.iops_limit = 0;
  Volume& volume = at_source ? *source_volume_ : *target_volume_;
  SimulatedCopy copy(world_, volume, *nowhere, options, pass.value().get());
  const CopyRun run = copy.run();
  if (!run.ended) return Error{.number = ETIMEDOUT, .message = "the verification hangs"};
  if (run.outcome.error) return *run.outcome.error;
  auto found = pass.value()->chunks(from, frontier);
  if (!found) return found.error();
  auto recorded = journal_->chunks(from, frontier);
  if (!recorded) return recorded.error();
  const auto now = one_by_one(found.value());
  const auto then = one_by_one(recorded.value());
  const auto first =
      std::mismatch(now.begin(), now.end(), then.begin(), then.end()).first - now.begin();
  return std::min(from + static_cast<std::uint64_t>(first) * kChunk, frontier);
}

void Machine::start() {
  CopyOptions options = shape_.options;
  options.size = content_.size();
  options.begin = journal_->frontier();
  Volume* source = source_volume_.get();
  if (mapped_source_) source = mapped_source_.get();
  copy_ =
      std::make_unique<SimulatedCopy>(world_, *source, *target_volume_, options, journal_.get());
  copy_->start();
}

bool Machine::run_until(const std::function<bool()>& done) {
  bool was_done = false;
  copy_->run_until([&] {
    was_done = done();
    return was_done || copy_->so_far().ended;
  });
  return was_done;
}

const CopyRun& Machine::run() {
  copy_->run_until([&] { return copy_->so_far().ended; });
  run_ = copy_->so_far();
  // What hangs is ended by hand, later.
  if (run_.ended && !run_.outcome.abandoned) {
    const bool busy = source_.in_flight() + target_.in_flight() + journal().in_flight() > 0;
    run_ = copy_->finish();
    if (busy) run_.faults.emplace_back("the outcome came while something was in flight");
  }
  return run_;
}

std::uint64_t Machine::moments() const {
  const SimDisk& journal = journal_disk_.disk();
  return target_.begun() + target_.ended() + journal.begun() + journal.ended();
}

Remains Machine::after_crash(std::mt19937_64& random) const {
  return {.source = source_.image(),
          .target = target_.after_crash(random),
          .journal = journal_disk_.disk().after_crash(random)};
}

Remains Machine::after_kill(std::mt19937_64& random) const {
  return {.source = source_.image(),
          .target = target_.after_kill(random),
          .journal = journal_disk_.disk().after_kill(random)};
}

void Machine::power_off() {
  is_off_ = true;
  source_.power_off();
  target_.power_off();
  journal().power_off();
  if (!copy_) return;
  copy_->job().cancel();
  world_.run_to_rest();
}

std::string Machine::broken_rule() const {
  for (const SimDisk* disk : {&source_, &target_, &journal_disk_.disk()}) {
    if (!disk->breaches().empty()) return disk->breaches().front();
  }
  if (!(source_.image() == content_.image)) return "the source was changed";
  for (const LoggedRequest& request : source_.log()) {
    if (request.operation != Operation::read) return "the source was asked for more than reads";
  }
  if (!run_.faults.empty()) return run_.faults.front();
  const auto beyond =
      target_.image().first_difference(target_before_, content_.size(), shape_.target_size);
  if (beyond) return "byte " + std::to_string(*beyond) + " behind what is copied was changed";
  return {};
}

std::string Machine::why_not_done(const SimImage& expected, bool checks_digest, bool is_recorded) {
  if (!run_.ended) return "it hangs";
  if (run_.outcome.error) return "it failed: " + run_.outcome.error->message;
  if (run_.state != CopyState::done) return "its state is not done";
  const std::uint64_t size = content_.size();
  if (const std::string found = difference(expected, target_.image(), size); !found.empty())
    return "not identical: " + found;
  for (int i = 0; i < 3; ++i) {
    const std::string lost = difference(expected, target_.after_crash(random_), size);
    if (!lost.empty()) return "identical, but not durable: " + lost;
    const auto recorded = SimJournal::read(journal().after_crash(random_));
    if (!recorded) return "the journal is lost: " + recorded.error().message;
    if (is_recorded && recorded.value().frontier != size) return "the journal does not say so";
  }
  const DigestKind kind = shape_.options.digest;
  if ((kind == DigestKind::none) != run_.outcome.digest.empty()) return "the digest is missing";
  if (checks_digest && kind != DigestKind::none &&
      run_.outcome.digest != reference_digest(kind, expected.bytes(0, size))) {
    return "the digest is wrong";
  }
  return {};
}

std::string false_claim(const SimImage& journal, const SimImage& target, const SimImage& expected,
                        const std::vector<std::string>& chunks) {
  const auto contents = SimJournal::read(journal);
  if (!contents) return "unreadable: " + contents.error().message;
  const std::uint64_t frontier = contents.value().frontier;
  const auto lost = expected.first_difference(target, 0, frontier);
  if (lost) {
    return "the journal says " + std::to_string(frontier) + ", but byte " + std::to_string(*lost) +
           " is not there";
  }
  if (chunks.empty()) return {};
  for (const RecordedCheckpoint& checkpoint : contents.value().checkpoints) {
    const auto runs = read_chunks(SimJournal::reader(journal), contents.value(), checkpoint);
    if (!runs) return runs.error().message;
    std::size_t chunk = checkpoint.from / kChunk;
    for (const DigestValue& value : one_by_one(runs.value())) {
      if (chunk >= chunks.size() || chunk * kChunk >= checkpoint.to) break;
      if (value.hex() != chunks[chunk])
        return "the digest of chunk " + std::to_string(chunk) + " is wrong";
      ++chunk;
    }
  }
  return {};
}

}  // namespace blockhaul::test
