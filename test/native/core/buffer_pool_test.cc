#include "core/buffer_pool.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <set>

#include "core/units.h"
#include "core/zero.h"

namespace blockhaul::test {
namespace {

TEST(BufferPoolTest, LendsSoManyAlignedBuffersThatDoNotOverlap) {
  auto pool = BufferPool::create(kLeaf, 5);
  ASSERT_TRUE(pool);
  std::vector<std::span<std::byte>> lent;
  std::set<std::byte*> starts;
  for (int i = 0; i < 5; ++i) {
    const auto buffer = pool.value()->take();
    ASSERT_TRUE(buffer);
    EXPECT_EQ(buffer->size(), kLeaf);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer->data()) % 4096, 0U);
    EXPECT_TRUE(is_zero(*buffer)) << "other people's bytes, or an overlap";
    std::fill(buffer->begin(), buffer->end(), static_cast<std::byte>(i + 1));
    lent.push_back(*buffer);
    starts.insert(buffer->data());
  }
  EXPECT_EQ(starts.size(), 5U);
  EXPECT_EQ(pool.value()->lent(), 5U);
  EXPECT_FALSE(pool.value()->take());
  for (int i = 0; i < 5; ++i) {
    const auto& buffer = lent[static_cast<std::size_t>(i)];
    EXPECT_TRUE(std::all_of(buffer.begin(), buffer.end(),
                            [&](std::byte byte) { return byte == static_cast<std::byte>(i + 1); }));
    pool.value()->give_back(buffer);
  }
  EXPECT_EQ(pool.value()->lent(), 0U);
}

TEST(BufferPoolTest, LendsTheBufferUsedLastAgain) {
  auto pool = BufferPool::create(kLeaf, 3);
  ASSERT_TRUE(pool);
  const auto first = pool.value()->take();
  const auto second = pool.value()->take();
  pool.value()->give_back(*first);
  EXPECT_EQ(pool.value()->take()->data(), first->data());
  // A part of a buffer stands for the whole of it.
  pool.value()->give_back(first->first(10));
  const auto again = pool.value()->take();
  EXPECT_EQ(again->data(), first->data());
  EXPECT_EQ(again->size(), kLeaf);
  pool.value()->give_back(*again);
  pool.value()->give_back(*second);
}

TEST(BufferPoolTest, SaysWhereThereIsNotSoMuchMemory) {
  const auto pool = BufferPool::create(std::size_t{1} << 40, 1U << 20);
  ASSERT_FALSE(pool);
  EXPECT_EQ(pool.error().number, ENOMEM);
}

TEST(PageMemoryTest, MovesItsMemoryAndGivesItBackOnce) {
  auto made = PageMemory::create(8192);
  ASSERT_TRUE(made);
  std::byte* const place = made.value().bytes().data();
  PageMemory one = std::move(made.value());
  EXPECT_EQ(one.bytes().data(), place);
  {
    auto other = PageMemory::create(4096);
    ASSERT_TRUE(other);
    other.value() = std::move(one);
    EXPECT_EQ(other.value().bytes().data(), place);
    unsigned char resident = 0;
    EXPECT_EQ(::mincore(place, 4096, &resident), 0);
  }
  unsigned char resident = 0;
  EXPECT_EQ(::mincore(place, 4096, &resident), -1) << "still mapped";
}

}  // namespace
}  // namespace blockhaul::test
