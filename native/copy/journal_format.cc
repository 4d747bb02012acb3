#include "copy/journal_format.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "core/units.h"

namespace blockhaul {
namespace {

constexpr std::string_view kMagic = "bhjrnl01";
constexpr std::size_t kFrameHead = 16;
/// Far more than any frame holds: a length beyond it is no length.
constexpr std::uint32_t kLongestFrame = 16U * 1024 * 1024;
constexpr std::size_t kRunsInFrame = 16 * kKiB;
constexpr std::size_t kRangesInFrame = 64 * kKiB;

void put(std::vector<std::byte>& bytes, std::uint64_t value, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) bytes.push_back(static_cast<std::byte>(value >> (8 * i)));
}

void put(std::vector<std::byte>& bytes, std::string_view text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  bytes.insert(bytes.end(), data, data + text.size());
}

/// Takes numbers from the front of a payload.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : rest_(bytes) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }
  [[nodiscard]] bool failed() const { return failed_; }

  std::uint64_t number(std::size_t width) {
    std::uint64_t value = 0;
    const auto bytes = take(width);
    for (std::size_t i = 0; i < bytes.size(); ++i)
      value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
    return value;
  }
  DigestValue digest(std::size_t length) {
    DigestValue value;
    const auto bytes = take(length);
    value.length = static_cast<std::uint8_t>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), value.bytes.begin());
    return value;
  }
  std::string text() {
    const auto bytes = take(rest_.size());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

 private:
  std::span<const std::byte> take(std::size_t length) {
    if (length > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const auto taken = rest_.first(length);
    rest_ = rest_.subspan(length);
    return taken;
  }

  std::span<const std::byte> rest_;
  bool failed_ = false;
};

std::uint64_t checksum(std::uint64_t salt, std::uint64_t place, std::span<const std::byte> head,
                       std::span<const std::byte> payload) {
  // On the heap: the state wants an alignment that sanitizers do not give to what is on the stack.
  const auto state = std::make_unique<XXH3_state_t>();
  XXH3_64bits_reset_withSeed(state.get(), salt ^ (place * 0x9e3779b97f4a7c15ULL));
  XXH3_64bits_update(state.get(), head.data(), head.size());
  XXH3_64bits_update(state.get(), payload.data(), payload.size());
  return XXH3_64bits_digest(state.get());
}

struct Frame {
  FrameKind kind;
  std::vector<std::byte> payload;
};

/// The frame at a place; nothing where there is no whole one.
Result<std::optional<Frame>> read_frame(const ReadAt& file, std::uint64_t salt,
                                        std::uint64_t place) {
  std::array<std::byte, kFrameHead> head{};
  auto got = file(place, head);
  if (!got) return got.error();
  if (got.value() < head.size()) return std::optional<Frame>();
  Cursor cursor(head);
  const auto length = static_cast<std::uint32_t>(cursor.number(4));
  const auto kind = static_cast<std::uint8_t>(cursor.number(4));
  const std::uint64_t expected = cursor.number(8);
  if (length > kLongestFrame) return std::optional<Frame>();
  Frame frame{.kind = static_cast<FrameKind>(kind), .payload = std::vector<std::byte>(length)};
  got = file(place + kFrameHead, frame.payload);
  if (!got) return got.error();
  if (got.value() < length) return std::optional<Frame>();
  if (checksum(salt, place, std::span<const std::byte>(head).first(8), frame.payload) != expected)
    return std::optional<Frame>();
  return std::optional<Frame>(std::move(frame));
}

Error broken(std::string message) {
  return Error{.number = EINVAL, .message = std::move(message), .code = "ERR_JOURNAL"};
}

bool is_boundary(const JournalHeader& header, std::uint64_t frontier) {
  return frontier >= header.base && frontier <= header.size &&
         (frontier % kChunk == 0 || frontier == header.size);
}

bool read_header(Cursor& payload, JournalHeader& header) {
  header.size = payload.number(8);
  header.base = payload.number(8);
  const std::uint64_t digest = payload.number(1);
  if (digest > static_cast<std::uint64_t>(DigestKind::sha256)) return false;
  header.digest = static_cast<DigestKind>(digest);
  header.job = payload.text();
  return !payload.failed() && header.base % kChunk == 0 && header.base <= header.size;
}

bool read_runs(Cursor& payload, DigestKind digest, std::vector<ChunkRun>& runs) {
  while (!payload.done()) {
    ChunkRun run;
    run.count = payload.number(8);
    run.value = payload.digest(value_length(digest));
    runs.push_back(run);
  }
  return !payload.failed();
}

bool read_checkpoint(Cursor& payload, std::uint64_t place, JournalContents& contents) {
  const JournalHeader& header = contents.header;
  const std::uint64_t frontier = payload.number(8);
  if (payload.failed() || !is_boundary(header, frontier) || frontier < contents.frontier)
    return false;
  std::vector<ChunkRun> runs;
  if (!read_runs(payload, header.digest, runs)) return false;
  std::uint64_t missing = header.digest == DigestKind::none
                              ? 0
                              : divide_up(frontier, kChunk) - divide_up(contents.frontier, kChunk);
  for (const ChunkRun& run : runs) {
    if (run.count > missing) return false;
    missing -= run.count;
  }
  if (missing > 0) return false;
  contents.checkpoints.push_back({contents.frontier, frontier, place});
  contents.frontier = frontier;
  return true;
}

bool read_rewind(Cursor& payload, JournalContents& contents) {
  const std::uint64_t frontier = payload.number(8);
  if (payload.failed() || !is_boundary(contents.header, frontier)) return false;
  if (frontier > contents.frontier) return false;
  rewind_contents(contents, frontier);
  return true;
}

bool read_bad(Cursor& payload, JournalContents& contents) {
  while (!payload.done()) {
    const std::uint64_t offset = payload.number(8);
    const std::uint64_t length = payload.number(8);
    if (payload.failed() || offset > contents.header.size ||
        length > contents.header.size - offset) {
      return false;
    }
    contents.bad.push_back({offset, length});
  }
  return true;
}

bool take_frame(const Frame& frame, JournalContents& contents) {
  Cursor payload(frame.payload);
  switch (frame.kind) {
    case FrameKind::header:
      return false;
    case FrameKind::checkpoint:
      return read_checkpoint(payload, contents.end, contents);
    case FrameKind::rewind:
      return read_rewind(payload, contents);
    case FrameKind::bad:
      return read_bad(payload, contents);
    case FrameKind::note:
      contents.notes.push_back(payload.text());
      return true;
  }
  return false;
}

}  // namespace

void FrameWriter::begin_file() {
  put(bytes_, kMagic);
  put(bytes_, salt_, 8);
}

void FrameWriter::header(const JournalHeader& header) {
  std::vector<std::byte> payload;
  put(payload, header.size, 8);
  put(payload, header.base, 8);
  put(payload, static_cast<std::uint64_t>(header.digest), 1);
  put(payload, header.job);
  frame(FrameKind::header, payload);
}

void FrameWriter::checkpoint(std::uint64_t from, std::uint64_t frontier,
                             std::span<const ChunkRun> runs) {
  std::uint64_t chunk = from / kChunk;
  do {
    const std::uint64_t before = checkpoints_.empty() ? from : checkpoints_.back().to;
    const std::size_t count = std::min(runs.size(), kRunsInFrame);
    const auto part = runs.first(count);
    runs = runs.subspan(count);
    for (const ChunkRun& run : part) chunk += run.count;
    std::vector<std::byte> payload;
    const std::uint64_t after = runs.empty() ? frontier : chunk * kChunk;
    checkpoints_.push_back({before, after, place_ + bytes_.size()});
    put(payload, after, 8);
    for (const ChunkRun& run : part) {
      put(payload, run.count, 8);
      const auto digest = run.value.view();
      payload.insert(payload.end(), digest.begin(), digest.end());
    }
    frame(FrameKind::checkpoint, payload);
  } while (!runs.empty());
}

void FrameWriter::rewind(std::uint64_t frontier) {
  std::vector<std::byte> payload;
  put(payload, frontier, 8);
  frame(FrameKind::rewind, payload);
}

void FrameWriter::bad(std::span<const Range> ranges) {
  while (!ranges.empty()) {
    const auto part = ranges.first(std::min(ranges.size(), kRangesInFrame));
    ranges = ranges.subspan(part.size());
    std::vector<std::byte> payload;
    for (const Range& range : part) {
      put(payload, range.offset, 8);
      put(payload, range.length, 8);
    }
    frame(FrameKind::bad, payload);
  }
}

void FrameWriter::note(std::string_view json) {
  std::vector<std::byte> payload;
  put(payload, json);
  frame(FrameKind::note, payload);
}

void FrameWriter::frame(FrameKind kind, std::span<const std::byte> payload) {
  std::vector<std::byte> head;
  put(head, payload.size(), 4);
  put(head, static_cast<std::uint64_t>(kind), 4);
  const std::uint64_t sum = checksum(salt_, place_ + bytes_.size(), head, payload);
  put(head, sum, 8);
  bytes_.insert(bytes_.end(), head.begin(), head.end());
  bytes_.insert(bytes_.end(), payload.begin(), payload.end());
}

void rewind_contents(JournalContents& contents, std::uint64_t frontier) {
  contents.frontier = frontier;
  auto& checkpoints = contents.checkpoints;
  while (!checkpoints.empty() && checkpoints.back().from >= frontier) checkpoints.pop_back();
  if (!checkpoints.empty()) checkpoints.back().to = std::min(checkpoints.back().to, frontier);
  // What was bad there is read again.
  std::erase_if(contents.bad, [frontier](const Range& range) { return range.end() > frontier; });
}

Result<std::vector<ChunkRun>> read_chunks(const ReadAt& file, const JournalContents& contents,
                                          const RecordedCheckpoint& checkpoint) {
  auto frame = read_frame(file, contents.salt, checkpoint.place);
  if (!frame) return frame.error();
  if (!frame.value() || frame.value()->kind != FrameKind::checkpoint)
    return broken("a checkpoint of the journal is gone");
  Cursor payload(frame.value()->payload);
  payload.number(8);
  std::vector<ChunkRun> runs;
  if (!read_runs(payload, contents.header.digest, runs))
    return broken("a checkpoint of the journal is damaged");
  return runs;
}

Result<JournalContents> read_journal(const ReadAt& file) {
  std::array<std::byte, kJournalStart> start{};
  auto got = file(0, start);
  if (!got) return got.error();
  const std::string_view magic(reinterpret_cast<const char*>(start.data()), kMagic.size());
  if (got.value() < start.size() || magic != kMagic) return broken("not a journal of blockhaul's");

  JournalContents contents;
  Cursor salt(std::span<const std::byte>(start).subspan(kMagic.size()));
  contents.salt = salt.number(8);
  contents.end = kJournalStart;
  for (bool is_first = true;; is_first = false) {
    auto frame = read_frame(file, contents.salt, contents.end);
    if (!frame) return frame.error();
    if (!frame.value()) break;
    const Frame& whole = *frame.value();
    if (is_first) {
      Cursor payload(whole.payload);
      if (whole.kind != FrameKind::header || !read_header(payload, contents.header))
        return broken("the journal has no header");
      contents.frontier = contents.header.base;
    } else if (!take_frame(whole, contents)) {
      return broken("the journal contradicts itself at byte " + std::to_string(contents.end));
    }
    contents.end += kFrameHead + whole.payload.size();
  }
  if (contents.end == kJournalStart) return broken("the journal has no header");
  std::byte more{};
  got = file(contents.end, std::span(&more, 1));
  if (!got) return got.error();
  contents.torn = got.value() > 0;
  return contents;
}

}  // namespace blockhaul
