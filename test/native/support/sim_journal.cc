#include "support/sim_journal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <stdexcept>

namespace blockhaul::test {
ReadAt SimJournal::reader(const SimImage& image) {
  return [&image](std::uint64_t offset, std::span<std::byte> buffer) -> Result<std::size_t> {
    if (offset >= image.size()) return std::size_t{0};
    const std::size_t length = std::min<std::uint64_t>(buffer.size(), image.size() - offset);
    image.read(offset, buffer.first(length));
    return length;
  };
}

SimImage SimJournal::fresh(const JournalHeader& header, std::uint64_t salt) {
  FrameWriter writer(salt, 0);
  writer.begin_file();
  writer.header(header);
  const std::vector<std::byte> bytes = writer.take();
  SimImage image(bytes.size());
  image.write(0, bytes);
  return image;
}

Result<JournalContents> SimJournal::read(const SimImage& image) {
  return read_journal(reader(image));
}

Result<std::unique_ptr<Journal>> SimJournal::open(Simulation& world) {
  auto contents = read(disk_.image());
  if (!contents) return contents.error();
  disk_.cut_file(contents.value().end);
  UniqueDescriptor file(::memfd_create("journal", MFD_CLOEXEC));
  mirror_ = UniqueDescriptor(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
  const Bytes bytes = disk_.image().bytes();
  if (!file || !mirror_ ||
      ::pwrite(file.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("no file in memory");
  }
  disk_.mirror_to(mirror_.get());
  world.open_as(file.get(), disk_, {.writes = true});
  return Journal::on(std::move(file), std::move(contents.value()));
}

void SimJournal::take_over_appended() {
  struct stat status {};
  ::fstat(mirror_.get(), &status);
  const std::uint64_t before = disk_.image().size();
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size <= before) return;
  Bytes appended(size - before);
  if (::pread(mirror_.get(), appended.data(), appended.size(), static_cast<off_t>(before)) !=
      static_cast<ssize_t>(appended.size())) {
    throw std::runtime_error("the file in memory cannot be read");
  }
  disk_.enter(before, appended.size(), appended.data());
}

void SimJournal::make_durable() { disk_.make_all_durable(); }

}  // namespace blockhaul::test
