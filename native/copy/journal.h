#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "copy/journal_format.h"
#include "io/reactor.h"
#include "io/unique_descriptor.h"

namespace blockhaul {

class Journal;

/// A checkpoint on its way into a journal. The owner keeps it and the journal alive until
/// `on_done`.
struct JournalAppend {
  std::uint64_t frontier = 0;    ///< a chunk boundary, or the size; not before the last one
  std::vector<ChunkRun> runs{};  ///< the chunks from the last frontier to this one
  std::vector<Range> bad{};      ///< further ranges that could not be read
  /// Called once, on the reactor's thread: 0, or a positive errno.
  void (*on_done)(JournalAppend&, int error) noexcept = nullptr;
  void* context = nullptr;

  // The journal's own.
  Journal* journal = nullptr;
  Reactor* reactor = nullptr;
  FileOperation file{};
  Task task{};
  std::vector<std::byte> bytes{};
  std::size_t written = 0;
  std::vector<RecordedCheckpoint> checkpoints{};
};

/// The journal of one job, open to be continued. What it holds is durable as soon as an append is
/// done. One append at a time, by whichever way; after one that failed nothing can be appended any
/// more, since nobody knows what is in the file behind the last whole frame.
class Journal {
 public:
  /// Makes a journal; fails with EEXIST where the path exists. Durable, its name included.
  static Result<std::unique_ptr<Journal>> create(const std::string& path,
                                                 const JournalHeader& header);
  /// Makes one that goes with this object: a file without a name in `folder`. Nothing of it is
  /// flushed: it serves for the digests of one pass.
  static Result<std::unique_ptr<Journal>> create_temporary(const std::string& folder,
                                                           const JournalHeader& header);
  /// Reads a journal, drops a torn tail, and makes the rest durable.
  static Result<std::unique_ptr<Journal>> open(const std::string& path);
  /// A journal on a descriptor whose contents are known: simulations have no files to open.
  static std::unique_ptr<Journal> on(UniqueDescriptor file, JournalContents contents);

  /// What any process may read of a journal that another one writes.
  static Result<JournalContents> read(const std::string& path);

  /// What it holds, but for appended notes; not while an append is under way.
  [[nodiscard]] const JournalContents& contents() const { return contents_; }
  [[nodiscard]] const JournalHeader& header() const { return contents_.header; }
  /// Bytes; any thread.
  [[nodiscard]] std::uint64_t frontier() const { return frontier_.load(std::memory_order_acquire); }

  /// Reactor's thread.
  void append(Reactor& reactor, JournalAppend& append);
  /// Blocks.
  Status append_note(std::string_view json);
  /// Blocks. Takes the frontier back: a chunk boundary, not behind the frontier.
  Status rewind(std::uint64_t frontier);

  /// The recorded chunks of [begin, end), chunk boundaries within base and frontier, or the size;
  /// blocks. Not while an append is under way.
  Result<std::vector<ChunkRun>> chunks(std::uint64_t begin, std::uint64_t end) const;

 private:
  Journal(UniqueDescriptor file, JournalContents contents, bool is_durable);
  static void file_done(FileOperation& operation, std::int64_t result) noexcept;
  static void advance(JournalAppend& append);
  void finish(JournalAppend& append, int error);
  Status append_blocking(const std::vector<std::byte>& bytes);

  UniqueDescriptor file_;
  JournalContents contents_;
  const bool is_durable_;
  std::atomic<std::uint64_t> frontier_;
  std::atomic<bool> appending_{false};
  bool broken_ = false;
};

}  // namespace blockhaul
