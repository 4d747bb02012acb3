#include "support/sim_image.h"

#include <algorithm>
#include <cstring>

namespace blockhaul::test {

const SimImage::SharedPage& SimImage::zero_page() {
  static const SharedPage page = std::make_shared<Page>();
  return page;
}

const SimImage::SharedPage& SimImage::noise_page() {
  static const SharedPage page = [] {
    auto made = std::make_shared<Page>();
    const Bytes noise = random_bytes(kPage, 0x5eed);
    std::copy(noise.begin(), noise.end(), made->begin());
    return made;
  }();
  return page;
}

SimImage::SimImage(std::uint64_t size, Fill fill)
    : size_(size),
      pages_(divide_up(size, kPage), fill == Fill::zeros ? zero_page() : noise_page()) {
  if (size % kPage == 0 || fill == Fill::zeros) return;
  Page& last = own(pages_.size() - 1);
  std::fill(last.begin() + static_cast<std::ptrdiff_t>(size % kPage), last.end(), std::byte{});
}

SimImage::SimImage(const Content& content) : SimImage(content.bytes.size()) {
  const std::span<const std::byte> bytes = content.bytes;
  for (const Extent& extent : content.extents) {
    if (extent.kind == ExtentKind::data)
      write(extent.offset, bytes.subspan(extent.offset, extent.length));
  }
}

SimImage::Page& SimImage::own(std::uint64_t index) {
  SharedPage& page = pages_[index];
  if (page.use_count() > 1) page = std::make_shared<Page>(*page);
  return *page;
}

void SimImage::resize(std::uint64_t size) {
  if (size < size_) {
    const std::uint64_t page_end = std::min(align_up(size, kPage), size_);
    if (page_end > size) zero(size, page_end - size);
  }
  size_ = size;
  pages_.resize(divide_up(size, kPage), zero_page());
}

void SimImage::read(std::uint64_t offset, std::span<std::byte> data) const {
  for (std::size_t done = 0; done < data.size();) {
    const std::uint64_t at = (offset + done) % kPage;
    const std::size_t length = std::min<std::size_t>(kPage - at, data.size() - done);
    std::memcpy(data.data() + done, pages_[(offset + done) / kPage]->data() + at, length);
    done += length;
  }
}

void SimImage::write(std::uint64_t offset, std::span<const std::byte> data) {
  for (std::size_t done = 0; done < data.size();) {
    const std::uint64_t at = (offset + done) % kPage;
    const std::size_t length = std::min<std::size_t>(kPage - at, data.size() - done);
    const std::uint64_t index = (offset + done) / kPage;
    if (length == kPage && pages_[index].use_count() > 1) pages_[index] = std::make_shared<Page>();
    std::memcpy(own(index).data() + at, data.data() + done, length);
    done += length;
  }
}

void SimImage::zero(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = offset + length;
  while (offset < end) {
    const std::uint64_t at = offset % kPage;
    const std::uint64_t part = std::min(kPage - at, end - offset);
    SharedPage& page = pages_[offset / kPage];
    if (part == kPage) {
      page = zero_page();
    } else if (page != zero_page()) {
      std::fill_n(own(offset / kPage).data() + at, part, std::byte{});
    }
    offset += part;
  }
}

void SimImage::flip_bit(std::uint64_t offset, unsigned bit) {
  own(offset / kPage)[offset % kPage] ^= std::byte{1} << (bit % 8);
}

Bytes SimImage::bytes(std::uint64_t offset, std::uint64_t length) const {
  Bytes all(length);
  read(offset, all);
  return all;
}

std::optional<std::uint64_t> SimImage::first_difference(const SimImage& other, std::uint64_t from,
                                                        std::uint64_t to) const {
  while (from < to) {
    const std::uint64_t at = from % kPage;
    const std::uint64_t length = std::min(kPage - at, to - from);
    const SharedPage& mine = pages_[from / kPage];
    const SharedPage& others = other.pages_[from / kPage];
    if (mine != others && std::memcmp(mine->data() + at, others->data() + at, length) != 0) {
      const auto begin = mine->begin() + static_cast<std::ptrdiff_t>(at);
      const auto first =
          std::mismatch(begin, mine->end(), others->begin() + static_cast<std::ptrdiff_t>(at))
              .first;
      return from + static_cast<std::uint64_t>(first - begin);
    }
    from += length;
  }
  return std::nullopt;
}

std::string difference(const SimImage& expected, const SimImage& actual, std::uint64_t length) {
  const auto first = expected.first_difference(actual, 0, length);
  return first ? "they differ from byte " + std::to_string(*first) + " on" : "";
}

}  // namespace blockhaul::test
