#include "support/sim_disk.h"

#include <linux/falloc.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace blockhaul::test {
namespace {

constexpr std::byte kSpoiled{0xa5};

Operation operation_of(FileOperation::Kind kind) {
  switch (kind) {
    case FileOperation::Kind::read:
      return Operation::read;
    case FileOperation::Kind::write:
      return Operation::write;
    case FileOperation::Kind::allocate:
      return Operation::zero;
    case FileOperation::Kind::sync_data:
      return Operation::flush;
  }
  return Operation::flush;
}

bool moves_data(Operation operation) {
  return operation == Operation::read || operation == Operation::write;
}

unsigned zero_step(int mode) { return (mode & FALLOC_FL_PUNCH_HOLE) != 0 ? 0 : 1; }

/// Calls `keep(offset, length)` for parts of a range: each sector is kept, not kept, or torn.
template <typename Keep>
void choose_sectors(std::uint64_t offset, std::uint64_t length, std::uint64_t sector,
                    std::mt19937_64& random, Keep keep) {
  const std::uint64_t end = offset + length;
  // Fates go by runs, of which there are some 16 whatever the length.
  const std::uint64_t longest = std::max<std::uint64_t>(1, length / sector / 8);
  while (offset < end) {
    const std::uint64_t sector_end = (offset / sector + 1) * sector;
    const std::uint64_t fate = random() % 8;
    if (fate < 2) {
      // Torn: the medium holds one end of the sector, or its middle.
      const std::uint64_t size = std::min(sector_end, end) - offset;
      const std::uint64_t from = random() % 2 == 0 ? 0 : random() % size;
      keep(offset + from, 1 + random() % (size - from));
      offset += size;
      continue;
    }
    const std::uint64_t run_end = std::min(end, sector_end + random() % longest * sector);
    if (fate < 5) keep(offset, run_end - offset);
    offset = run_end;
  }
}

}  // namespace

void SimStorage::enter(std::uint64_t offset, std::uint64_t length, const std::byte* data) {
  Change change{next_change++, offset, length, {}};
  if (offset + length > cache.size()) cache.resize(offset + length);
  if (data != nullptr) {
    change.data = std::make_shared<const Bytes>(data, data + length);
    cache.write(offset, *change.data);
  } else {
    cache.zero(offset, length);
  }
  changes.push_back(std::move(change));
}

SimDisk::SimDisk(const SimDiskOptions& options, SimStorage storage)
    : options_(options),
      rules_(options.seed + 1),
      random_(options.seed),
      storage_(std::move(storage)) {}

SimDisk::Flight& SimDisk::begin(FileOperation& file, SimAccess access) {
  ++begun_;
  Flight& flight = flights_.emplace_back();
  flight.place = std::prev(flights_.end());
  flight.file = &file;
  flight.operation = operation_of(file.kind);
  flight.offset = flight.operation == Operation::flush ? 0 : file.offset;
  flight.length = flight.operation == Operation::flush ? 0 : file.length;
  flight.access = access;
  flight.covers = storage_.next_change;
  const std::uint64_t range =
      static_cast<std::uint64_t>((options_.longest_delay - options_.shortest_delay).count());
  flight.takes = options_.shortest_delay + std::chrono::nanoseconds(random_() % (range + 1));
  if (is_off_) {
    flight.dead = true;
    return flight;
  }
  const LoggedRequest logged{flight.operation, flight.offset, flight.length};
  flight.refused = refusal(flight);
  if (flight.refused != 0) return flight;
  log_.push_back(logged);
  if (has_failed_ && flight.operation == Operation::flush) ++flushes_after_failure_;
  check(flight);
  if (one_in(options_.interrupt_one_in)) {
    flight.refused = EINTR;
    return flight;
  }
  flight.fault = rules_.judge(logged);
  if (flight.fault && flight.fault->action == FaultRule::Action::hang) flight.hangs = true;
  if (flight.fault && flight.fault->action == FaultRule::Action::delay)
    flight.takes += flight.fault->delay;
  if (flight.operation == Operation::read) std::fill_n(file.data, file.length, kSpoiled);
  if (flight.operation == Operation::write)
    flight.data = digest_bytes(DigestKind::xxh3, {file.data, file.length});
  return flight;
}

/// What the kernel refuses before it asks a medium.
int SimDisk::refusal(const Flight& flight) const {
  const bool aligned = flight.offset % options_.sector == 0 && flight.length % options_.sector == 0;
  if (moves_data(flight.operation) && flight.access.direct) {
    const auto memory = reinterpret_cast<std::uintptr_t>(flight.file->data);
    if (!aligned || memory % 512 != 0) return EINVAL;
  }
  if (flight.operation == Operation::zero) {
    if (zero_step(flight.file->mode) < options_.refused_zero_steps) return EOPNOTSUPP;
    if (!aligned && !options_.grows) return EINVAL;
  }
  return 0;
}

/// What any disk may expect of an operation, and of those that are in flight beside it.
void SimDisk::check(const Flight& flight) {
  const std::uint64_t end = flight.offset + flight.length;
  const bool changes = flight.operation == Operation::write || flight.operation == Operation::zero;
  if (changes && (options_.read_only || !flight.access.writes)) breach(flight, "is not allowed");
  const bool may_grow = options_.grows && flight.operation == Operation::write;
  if (end > storage_.cache.size() && !may_grow) breach(flight, "leaves the disk");
  if (flight.operation != Operation::flush && flight.length == 0) breach(flight, "is empty");
  for (const Flight& other : flights_) {
    if (&other == &flight || other.dead) continue;
    if (other.file == flight.file) breach(flight, "is in flight already");
    const bool both_read =
        flight.operation == Operation::read && other.operation == Operation::read;
    const bool overlap = flight.offset < other.offset + other.length && other.offset < end;
    if (!both_read && overlap) breach(flight, "overlaps one in flight");
    const bool both_write =
        flight.operation == Operation::write && other.operation == Operation::write;
    if (both_write && flight.access.direct != other.access.direct)
      breach(flight, "goes on beside one of the other way");
  }
}

void SimDisk::breach(const Flight& flight, const std::string& what) {
  breaches_.push_back(std::string(name_of(flight.operation)) + " of " +
                      std::to_string(flight.length) + " at " + std::to_string(flight.offset) + " " +
                      what);
}

std::int64_t SimDisk::end(Flight& flight) {
  ++ended_;
  std::int64_t result = -ENODEV;
  if (!flight.dead) {
    result = flight.refused != 0 ? -flight.refused : perform(flight);
  }
  if (flight.operation != Operation::read && (result == -EIO || result == -ENOSPC))
    has_failed_ = true;
  flights_.erase(flight.place);
  return result;
}

void SimDisk::forget(Flight& flight) { flights_.erase(flight.place); }

std::int64_t SimDisk::perform(Flight& flight) {
  if (flight.operation == Operation::write &&
      digest_bytes(DigestKind::xxh3, {flight.file->data, flight.length}) != flight.data) {
    breach(flight, "had its data changed in flight");
  }
  if (flight.fault && flight.fault->action == FaultRule::Action::refuse &&
      flight.operation != Operation::flush) {
    return -flight.fault->error;
  }
  switch (flight.operation) {
    case Operation::read:
      return read(flight);
    case Operation::flush:
      return flush(flight);
    default:
      return change(flight);
  }
}

std::uint64_t SimDisk::short_count(std::uint64_t length, bool direct) {
  if (!direct) return 1 + random_() % length;
  const std::uint64_t sectors = length / options_.sector;
  return sectors < 2 ? length : (1 + random_() % (sectors - 1)) * options_.sector;
}

std::int64_t SimDisk::read(const Flight& flight) {
  using Action = FaultRule::Action;
  const Action action = flight.fault ? flight.fault->action : Action::delay;
  std::uint64_t offset = flight.offset;
  if (offset >= storage_.cache.size()) return 0;
  std::uint64_t length = std::min(flight.length, storage_.cache.size() - offset);
  const bool is_short = action == Action::shorten || one_in(options_.short_one_in);
  if (is_short) length = short_count(length, flight.access.direct);
  std::byte* data = flight.file->data;
  if (action == Action::drop) return static_cast<std::int64_t>(length);
  if (action == Action::misdirect) {
    const auto elsewhere = place_beside(offset, length, storage_.cache.size());
    if (!elsewhere) return static_cast<std::int64_t>(length);
    offset = *elsewhere;
  }
  if (action == Action::tear) {
    choose_sectors(offset, length, options_.sector, random_,
                   [&](std::uint64_t from, std::uint64_t count) {
                     storage_.cache.read(from, {data + (from - offset), count});
                   });
    if (flight.fault->error != 0) return -flight.fault->error;
    return static_cast<std::int64_t>(length);
  }
  storage_.cache.read(offset, {data, length});
  if (action == Action::corrupt)
    data[rules_.pick(length)] ^= std::byte{1} << static_cast<int>(rules_.pick(8));
  if (action == Action::distort) return -flight.fault->error;
  return static_cast<std::int64_t>(length);
}

/// A write or a zero.
std::int64_t SimDisk::change(const Flight& flight) {
  using Action = FaultRule::Action;
  const Action action = flight.fault ? flight.fault->action : Action::delay;
  const bool is_write = flight.operation == Operation::write;
  std::uint64_t offset = flight.offset;
  std::uint64_t length = flight.length;
  if (!options_.grows) {
    if (offset >= storage_.cache.size()) return -ENOSPC;
    length = std::min(length, storage_.cache.size() - offset);
  }
  const bool is_short = action == Action::shorten || (is_write && one_in(options_.short_one_in));
  if (is_short) length = short_count(length, flight.access.direct || !is_write);
  const auto success = is_write ? static_cast<std::int64_t>(length) : 0;
  const std::byte* data = is_write ? flight.file->data : nullptr;
  switch (action) {
    case Action::drop:
      return success;
    case Action::tear:
      choose_sectors(offset, length, options_.sector, random_,
                     [&](std::uint64_t from, std::uint64_t count) {
                       enter(from, count, data == nullptr ? nullptr : data + (from - offset));
                     });
      return flight.fault->error != 0 ? -flight.fault->error : success;
    case Action::misdirect: {
      const auto elsewhere = place_beside(offset, length, storage_.cache.size());
      if (!elsewhere) return success;
      offset = *elsewhere;
      break;
    }
    default:
      break;
  }
  if (action == Action::corrupt) {
    Bytes wrong(length);
    if (is_write) std::copy_n(data, length, wrong.begin());
    wrong[rules_.pick(length)] ^= std::byte{1} << static_cast<int>(rules_.pick(8));
    enter(offset, length, wrong.data());
  } else {
    enter(offset, length, data);
  }
  if (action == Action::distort) return -flight.fault->error;
  // fallocate(2) does not say how far it came.
  if (action == Action::shorten && !is_write) return -flight.fault->error;
  return success;
}

void SimDisk::enter(std::uint64_t offset, std::uint64_t length, const std::byte* data) {
  storage_.enter(offset, length, data);
  if (mirror_ < 0) return;
  const Bytes zeros(data == nullptr ? length : 0);
  const std::byte* bytes = data == nullptr ? zeros.data() : data;
  if (::pwrite(mirror_, bytes, length, static_cast<off_t>(offset)) !=
      static_cast<ssize_t>(length)) {
    breaches_.emplace_back("the mirror cannot be written");
  }
}

std::int64_t SimDisk::flush(const Flight& flight) {
  using Action = FaultRule::Action;
  const Action action = flight.fault ? flight.fault->action : Action::delay;
  if (action == Action::drop) return 0;
  const bool is_interrupted = (action == Action::refuse || action == Action::tear) &&
                              (flight.fault->error == EINTR || flight.fault->error == EAGAIN);
  if (is_interrupted) return -flight.fault->error;
  const bool fails = action == Action::refuse || action == Action::tear;
  make_durable(flight.covers, fails);
  const bool reports = fails || action == Action::distort;
  return reports ? -flight.fault->error : 0;
}

void SimDisk::make_durable(std::uint64_t before, bool loses_some) {
  SimImage& medium = storage_.medium;
  auto& changes = storage_.changes;
  while (!changes.empty() && changes.front().sequence < before) {
    const SimStorage::Change& change = changes.front();
    const std::byte* data = change.data ? change.data->data() : nullptr;
    if (loses_some) {
      keep_any_part(medium, change.offset, change.length, data, random_);
    } else {
      const std::uint64_t end = change.offset + change.length;
      if (end > medium.size()) medium.resize(end);
      if (data != nullptr) medium.write(change.offset, *change.data);
      if (data == nullptr) medium.zero(change.offset, change.length);
    }
    changes.pop_front();
  }
}

void SimDisk::keep_any_part(SimImage& image, std::uint64_t offset, std::uint64_t length,
                            const std::byte* data, std::mt19937_64& random) const {
  const std::uint64_t fate = random() % 4;
  if (fate == 0) return;
  std::uint64_t end = offset + length;
  if (end > image.size()) {
    // A file's length and its bytes come to the medium each in its own time.
    if (fate != 1 && random() % 2 == 0) end = image.size() + random() % (end - image.size() + 1);
    const std::uint64_t before = image.size();
    image.resize(std::max(end, before));
    // What was never written may be anything that the medium held.
    if (fate != 1 && random() % 4 == 0 && end > before)
      image.write(before, random_bytes(end - before, random()));
    if (end <= offset) return;
  }
  const auto keep = [&](std::uint64_t from, std::uint64_t count) {
    if (data == nullptr) return image.zero(from, count);
    image.write(from, {data + (from - offset), count});
  };
  if (fate == 1) return keep(offset, length);
  choose_sectors(offset, end - offset, options_.sector, random, keep);
}

SimImage SimDisk::after_crash(std::mt19937_64& random) const {
  SimImage image = storage_.medium;
  for (const SimStorage::Change& change : storage_.changes) {
    keep_any_part(image, change.offset, change.length, change.data ? change.data->data() : nullptr,
                  random);
  }
  for (const Flight& flight : flights_) {
    if (!may_land(flight)) continue;
    const bool is_write = flight.operation == Operation::write;
    keep_any_part(image, flight.offset, flight.length, is_write ? flight.file->data : nullptr,
                  random);
  }
  return image;
}

SimStorage SimDisk::after_kill(std::mt19937_64& random) const {
  SimStorage left = storage_;
  for (const Flight& flight : flights_) {
    if (!may_land(flight)) continue;
    const bool is_write = flight.operation == Operation::write;
    const std::byte* data = is_write ? flight.file->data : nullptr;
    choose_sectors(flight.offset, flight.length, options_.sector, random,
                   [&](std::uint64_t from, std::uint64_t count) {
                     left.enter(from, count,
                                data == nullptr ? nullptr : data + (from - flight.offset));
                   });
  }
  return left;
}

/// Whether an operation in flight can have changed anything.
bool SimDisk::may_land(const Flight& flight) const {
  const bool changes = flight.operation == Operation::write || flight.operation == Operation::zero;
  if (!changes || flight.dead || flight.refused != 0) return false;
  return options_.grows || flight.offset + flight.length <= storage_.cache.size();
}

void SimDisk::cut_file(std::uint64_t size) {
  make_all_durable();
  storage_.cache.resize(size);
  storage_.medium.resize(size);
}

void SimDisk::power_off() {
  is_off_ = true;
  for (Flight& flight : flights_) flight.dead = true;
  release();
}

void SimDisk::release() {
  for (Flight& flight : flights_) {
    if (!flight.hangs) continue;
    flight.hangs = false;
    if (flight.on_release) flight.on_release();
  }
}

}  // namespace blockhaul::test
