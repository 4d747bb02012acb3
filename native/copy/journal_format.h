#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"
#include "core/range.h"
#include "core/result.h"

namespace blockhaul {

/// A journal is what is known for certain about one job. It is a file that only grows:
///
///     "bhjrnl01"  salt (8 bytes)      then frames:
///     length (4)  kind (1)  0 (3)  checksum (8)  payload (length bytes)
///
/// Numbers are little endian. The checksum is XXH3-64 over length, kind and payload, seeded with
/// the salt and the frame's place in the file: what is left of another journal, or of an append
/// that was torn, is no frame of this one. Everything behind the first frame that is not whole is
/// dropped.
enum class FrameKind : std::uint8_t {
  header = 1,      ///< size (8)  base (8)  digest kind (1), then the job as JSON; the first frame
  checkpoint = 2,  ///< frontier (8), then runs of chunk digests: count (8)  digest (16 or 32)
  rewind = 3,      ///< frontier (8): what was recorded behind it does not count any more
  bad = 4,         ///< ranges of the source that could not be read: offset (8)  length (8) …
  note = 5,        ///< JSON: what happened to the job
};

/// What a journal is bound to.
struct JournalHeader {
  std::uint64_t size = 0;  ///< the volume's, in bytes
  std::uint64_t base = 0;  ///< a multiple of kChunk: where the record begins
  DigestKind digest = DigestKind::xxh3;
  std::string job{};  ///< JSON, of whoever made the journal
};

/// A checkpoint frame that counts.
struct RecordedCheckpoint {
  std::uint64_t from = 0;   ///< the frontier before it, in bytes
  std::uint64_t to = 0;     ///< the frontier after it; less than it says where a rewind cut it
  std::uint64_t place = 0;  ///< in the file
};

/// Everything that a journal says, but for the digests.
struct JournalContents {
  JournalHeader header;
  std::uint64_t salt = 0;
  /// All from the base to here was finished and flushed: a multiple of kChunk, or the size.
  std::uint64_t frontier = 0;
  std::vector<RecordedCheckpoint> checkpoints{};  ///< each goes on where the one before it ends
  std::vector<Range> bad{};
  std::vector<std::string> notes{};
  std::uint64_t end = 0;  ///< bytes of the file that are whole frames
  bool torn = false;      ///< something else follows them
};

/// Fills a buffer from a place in a file; gives the number of bytes, fewer only where the file
/// ends.
using ReadAt =
    std::function<Result<std::size_t>(std::uint64_t offset, std::span<std::byte> buffer)>;

inline constexpr std::uint64_t kJournalStart = 16;  ///< where the first frame stands

/// Puts frames together that are to be appended at a place in the file.
class FrameWriter {
 public:
  FrameWriter(std::uint64_t salt, std::uint64_t place) : salt_(salt), place_(place) {}

  void begin_file();
  void header(const JournalHeader& header);
  /// Several frames where the runs are many; `from` is the frontier before.
  void checkpoint(std::uint64_t from, std::uint64_t frontier, std::span<const ChunkRun> runs);
  /// The checkpoints that were written so far.
  [[nodiscard]] const std::vector<RecordedCheckpoint>& checkpoints() const { return checkpoints_; }
  void rewind(std::uint64_t frontier);
  void bad(std::span<const Range> ranges);
  void note(std::string_view json);

  [[nodiscard]] std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  void frame(FrameKind kind, std::span<const std::byte> payload);

  std::uint64_t salt_;
  std::uint64_t place_;
  std::vector<std::byte> bytes_;
  std::vector<RecordedCheckpoint> checkpoints_;
};

/// Takes back what was recorded behind a frontier.
void rewind_contents(JournalContents& contents, std::uint64_t frontier);

/// Reads a journal from its start. Fails with ERR_JOURNAL for what is none, and for one whose
/// frames are whole but contradict each other.
Result<JournalContents> read_journal(const ReadAt& file);

/// The digests of a checkpoint, all that its frame holds. Fails with ERR_JOURNAL where the frame is
/// not whole any more.
Result<std::vector<ChunkRun>> read_chunks(const ReadAt& file, const JournalContents& contents,
                                          const RecordedCheckpoint& checkpoint);

}  // namespace blockhaul
