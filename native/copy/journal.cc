#include "copy/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "core/units.h"

namespace blockhaul {
namespace {

Error failure(int number, std::string_view what) {
  Error error = Error::from_errno(number, Operation::write, what);
  if (number == EEXIST || number == ENOENT || number == EACCES) error.operation = Operation::open;
  return error;
}

std::uint64_t any_number() {
  std::random_device random;
  return (std::uint64_t{random()} << 32) | random();
}

Status write_all(int file, std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      return failure(errno, "journal");
    }
    offset += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return success();
}

Status sync_folder_of(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  const UniqueDescriptor opened(
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || ::fsync(opened.get()) != 0) return failure(errno, "journal's folder");
  return success();
}

ReadAt reader_of(int file) {
  return [file](std::uint64_t offset, std::span<std::byte> buffer) -> Result<std::size_t> {
    std::size_t done = 0;
    while (done < buffer.size()) {
      const ssize_t got = ::pread(file, buffer.data() + done, buffer.size() - done,
                                  static_cast<off_t>(offset + done));
      if (got < 0) {
        if (errno == EINTR) continue;
        return Error::from_errno(errno, Operation::read, "journal");
      }
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  };
}

/// A file without a name. Not every file system makes one at once: overlayfs, the root of most
/// containers, only since Linux 6.3.
UniqueDescriptor open_temporary(const std::string& folder) {
  UniqueDescriptor file(::open(folder.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
  if (file || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return file;
  std::string path = folder + "/blockhaul-XXXXXX";
  UniqueDescriptor named(::mkostemp(path.data(), O_CLOEXEC));
  if (named) ::unlink(path.c_str());
  return named;
}

/// The contents of a new journal, and its first bytes.
std::pair<JournalContents, std::vector<std::byte>> begin_journal(const JournalHeader& header) {
  JournalContents contents;
  contents.header = header;
  contents.salt = any_number();
  contents.frontier = header.base;
  FrameWriter writer(contents.salt, 0);
  writer.begin_file();
  writer.header(header);
  std::vector<std::byte> bytes = writer.take();
  contents.end = bytes.size();
  return {std::move(contents), std::move(bytes)};
}

}  // namespace

Journal::Journal(UniqueDescriptor file, JournalContents contents, bool is_durable)
    : file_(std::move(file)),
      contents_(std::move(contents)),
      is_durable_(is_durable),
      frontier_(contents_.frontier) {}

/// The name comes last: whoever finds a journal, also after a kill, finds a whole header in it.
Result<std::unique_ptr<Journal>> Journal::create(const std::string& path,
                                                 const JournalHeader& header) {
  const std::string draft = path + ".new";
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  UniqueDescriptor file(::open(draft.c_str(), kFlags, 0600));
  if (!file) return failure(errno, "journal");
  auto [contents, bytes] = begin_journal(header);
  Status made = write_all(file.get(), 0, bytes);
  if (made && ::fsync(file.get()) != 0) made = failure(errno, "journal");
  if (made && ::link(draft.c_str(), path.c_str()) != 0) made = failure(errno, "journal");
  ::unlink(draft.c_str());
  if (made) made = sync_folder_of(path);
  if (!made) return made.error();
  return std::unique_ptr<Journal>(new Journal(std::move(file), std::move(contents), true));
}

Result<std::unique_ptr<Journal>> Journal::create_temporary(const std::string& folder,
                                                           const JournalHeader& header) {
  UniqueDescriptor file = open_temporary(folder);
  if (!file) return failure(errno, "temporary file in " + folder);
  auto [contents, bytes] = begin_journal(header);
  if (const Status made = write_all(file.get(), 0, bytes); !made) return made.error();
  return std::unique_ptr<Journal>(new Journal(std::move(file), std::move(contents), false));
}

Result<std::unique_ptr<Journal>> Journal::open(const std::string& path) {
  UniqueDescriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return failure(errno, "journal");
  auto contents = read_journal(reader_of(file.get()));
  if (!contents) return contents.error();
  const auto end = static_cast<off_t>(contents.value().end);
  if (contents.value().torn && ::ftruncate(file.get(), end) != 0) return failure(errno, "journal");
  // Whoever wrote the last frame may have been killed before it was durable.
  if (::fsync(file.get()) != 0) return failure(errno, "journal");
  return on(std::move(file), std::move(contents.value()));
}

std::unique_ptr<Journal> Journal::on(UniqueDescriptor file, JournalContents contents) {
  return std::unique_ptr<Journal>(new Journal(std::move(file), std::move(contents), true));
}

Result<JournalContents> Journal::read(const std::string& path) {
  const UniqueDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return failure(errno, "journal");
  return read_journal(reader_of(file.get()));
}

void Journal::append(Reactor& reactor, JournalAppend& append) {
  append.journal = this;
  append.reactor = &reactor;
  append.written = 0;
  FrameWriter writer(contents_.salt, contents_.end);
  if (!append.bad.empty()) writer.bad(append.bad);
  writer.checkpoint(contents_.frontier, append.frontier, append.runs);
  append.checkpoints = writer.checkpoints();
  append.bytes = writer.take();
  append.file = {};
  append.file.descriptor = file_.get();
  append.file.on_done = file_done;
  append.file.context = &append;
  append.task.context = &append;
  append.task.run = [](Task& task) noexcept {
    auto& refused = *static_cast<JournalAppend*>(task.context);
    refused.on_done(refused, EIO);
  };
  if (broken_) return reactor.post(append.task);
  appending_ = true;
  advance(append);
}

/// Writes what is not written yet; then makes it durable.
void Journal::advance(JournalAppend& append) {
  FileOperation& operation = append.file;
  if (append.written < append.bytes.size()) {
    operation.kind = FileOperation::Kind::write;
    operation.offset = append.journal->contents_.end + append.written;
    operation.data = append.bytes.data() + append.written;
    operation.length = append.bytes.size() - append.written;
  } else {
    operation.kind = FileOperation::Kind::sync_data;
    operation.data = nullptr;
    operation.length = 0;
  }
  append.reactor->submit(operation);
}

void Journal::file_done(FileOperation& operation, std::int64_t result) noexcept {
  auto& append = *static_cast<JournalAppend*>(operation.context);
  Journal& journal = *append.journal;
  if (result == -EINTR || result == -EAGAIN) return advance(append);
  if (result < 0) return journal.finish(append, static_cast<int>(-result));
  if (operation.kind == FileOperation::Kind::sync_data) return journal.finish(append, 0);
  if (result == 0) return journal.finish(append, EIO);
  append.written += static_cast<std::size_t>(result);
  if (append.written == append.bytes.size() && !journal.is_durable_)
    return journal.finish(append, 0);
  advance(append);
}

void Journal::finish(JournalAppend& append, int error) {
  appending_ = false;
  if (error != 0) {
    broken_ = true;
  } else {
    auto& checkpoints = contents_.checkpoints;
    checkpoints.insert(checkpoints.end(), append.checkpoints.begin(), append.checkpoints.end());
    contents_.bad.insert(contents_.bad.end(), append.bad.begin(), append.bad.end());
    contents_.end += append.bytes.size();
    contents_.frontier = append.frontier;
    frontier_.store(append.frontier, std::memory_order_release);
  }
  append.on_done(append, error);
}

Status Journal::append_blocking(const std::vector<std::byte>& bytes) {
  if (appending_) return failure(EBUSY, "journal");
  if (broken_) return failure(EIO, "journal");
  Status done = write_all(file_.get(), contents_.end, bytes);
  if (done && is_durable_ && ::fdatasync(file_.get()) != 0) done = failure(errno, "journal");
  broken_ = !done;
  if (done) contents_.end += bytes.size();
  return done;
}

Status Journal::append_note(std::string_view json) {
  FrameWriter writer(contents_.salt, contents_.end);
  writer.note(json);
  return append_blocking(writer.take());
}

Status Journal::rewind(std::uint64_t frontier) {
  FrameWriter writer(contents_.salt, contents_.end);
  writer.rewind(frontier);
  Status done = append_blocking(writer.take());
  if (!done) return done;
  rewind_contents(contents_, frontier);
  frontier_.store(frontier, std::memory_order_release);
  return done;
}

Result<std::vector<ChunkRun>> Journal::chunks(std::uint64_t begin, std::uint64_t end) const {
  std::vector<ChunkRun> wanted;
  const ReadAt file = reader_of(file_.get());
  const auto& checkpoints = contents_.checkpoints;
  auto checkpoint =
      std::partition_point(checkpoints.begin(), checkpoints.end(),
                           [begin](const RecordedCheckpoint& one) { return one.to <= begin; });
  for (; checkpoint != checkpoints.end() && checkpoint->from < end; ++checkpoint) {
    auto runs = read_chunks(file, contents_, *checkpoint);
    if (!runs) return runs.error();
    std::uint64_t chunk = checkpoint->from / kChunk;
    const std::uint64_t first = std::max(begin / kChunk, chunk);
    const std::uint64_t last = divide_up(std::min(end, checkpoint->to), kChunk);
    for (const ChunkRun& run : runs.value()) {
      const std::uint64_t from = std::max(chunk, first);
      const std::uint64_t to = std::min(chunk + run.count, last);
      if (from < to) append_run(wanted, {to - from, run.value});
      chunk += run.count;
    }
  }
  return wanted;
}

}  // namespace blockhaul
