#include "volume/js_volume.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

#include "support/content.h"
#include "support/fake_bridge.h"
#include "support/volume_io.h"

namespace blockhaul::test {
namespace {

using Extents = std::vector<Extent>;

VolumeInfo js_info(std::uint64_t size, bool maps) {
  VolumeInfo info;
  info.kind = "js";
  info.size = size;
  info.read_only = false;
  info.maps_extents = maps;
  return info;
}

class JsVolumeTest : public testing::Test {
 protected:
  std::shared_ptr<FakeBridge> bridge_ = std::make_shared<FakeBridge>(random_bytes(10'000, 1));
  JsVolume volume_{js_info(10'000, true), bridge_};
  VolumeIo io_;
};

TEST_F(JsVolumeTest, HandsRequestsOverAsTheyAre) {
  Bytes bytes(100);
  EXPECT_EQ(io_.read(volume_, 9'900, bytes), 0);
  EXPECT_EQ(difference(Bytes(bridge_->bytes().end() - 100, bridge_->bytes().end()), bytes), "");
  const Bytes other = random_bytes(50, 2);
  EXPECT_EQ(io_.write(volume_, 7, other), 0);
  EXPECT_EQ(difference(other, Bytes(bridge_->bytes().begin() + 7, bridge_->bytes().begin() + 57)),
            "");
  EXPECT_EQ(io_.zero(volume_, 7, 50), 0);
  EXPECT_EQ(bridge_->bytes()[7], std::byte{});
  EXPECT_EQ(io_.flush(volume_), 0);
  EXPECT_EQ(bridge_->log(), (std::vector<LoggedRequest>{{Operation::read, 9'900, 100},
                                                        {Operation::write, 7, 50},
                                                        {Operation::zero, 7, 50},
                                                        {Operation::flush, 0, 0}}));
}

TEST_F(JsVolumeTest, GivesTheErrorOfTheAnswer) {
  Bytes bytes(100);
  for (const int error : {EIO, ENOSPC, ENOTSUP, ECANCELED}) {
    bridge_->answer_with(error);
    EXPECT_EQ(io_.read(volume_, 0, bytes), error);
    EXPECT_EQ(io_.zero(volume_, 0, 100), error);
    const auto extents = volume_.map(0, 100);
    ASSERT_FALSE(extents);
    EXPECT_EQ(extents.error().number, error);
    EXPECT_EQ(extents.error().operation, Operation::map);
  }
}

// An answer inside call(), as a bridge gives it when JavaScript is gone, is no completion inside
// submit().
TEST_F(JsVolumeTest, TakesAnAnswerAtOnce) {
  bridge_->answer_at_once();
  Bytes bytes(100);
  EXPECT_EQ(io_.read(volume_, 0, bytes), 0);
  EXPECT_TRUE(volume_.map(0, 100));
}

TEST_F(JsVolumeTest, MapsWhatItIsTold) {
  bridge_->set_extents({{0, 10, ExtentKind::hole}, {10, 20, ExtentKind::data}});
  const auto extents = volume_.map(0, 30);
  ASSERT_TRUE(extents);
  EXPECT_EQ(extents.value(), (Extents{{0, 10, ExtentKind::hole}, {10, 20, ExtentKind::data}}));
}

TEST_F(JsVolumeTest, IsDataAllOverWithoutAMapOfItsOwn) {
  JsVolume plain(js_info(1000, false), bridge_);
  const auto extents = plain.map(10, 500);
  ASSERT_TRUE(extents);
  EXPECT_EQ(extents.value(), (Extents{{10, 500, ExtentKind::data}}));
  EXPECT_TRUE(bridge_->log().empty());
}

TEST_F(JsVolumeTest, InterruptEndsAMapThatIsNeverAnswered) {
  bridge_->hold();
  auto mapped = std::async(std::launch::async, [&] { return volume_.map(0, 100); });
  bridge_->wait_for_held(1);
  volume_.interrupt();
  const auto extents = mapped.get();
  ASSERT_FALSE(extents);
  EXPECT_EQ(extents.error().number, ECANCELED);
  // An answer that comes late, even twice, changes nothing and touches nothing that is gone.
  bridge_->release();
}

TEST_F(JsVolumeTest, InterruptEndsAllMapsThatWait) {
  bridge_->hold();
  std::vector<std::future<Result<Extents>>> maps;
  for (int i = 0; i < 3; ++i)
    maps.push_back(std::async(std::launch::async, [&] { return volume_.map(0, 100); }));
  bridge_->wait_for_held(3);
  volume_.interrupt();
  for (auto& mapped : maps) EXPECT_EQ(mapped.get().error().number, ECANCELED);
  bridge_->release();
  // The volume works on.
  EXPECT_TRUE(volume_.map(0, 100));
}

TEST_F(JsVolumeTest, ALateAnswerMayOutliveTheVolume) {
  auto volume = std::make_unique<JsVolume>(js_info(1000, true), bridge_);
  bridge_->hold();
  auto mapped = std::async(std::launch::async, [&] { return volume->map(0, 100); });
  bridge_->wait_for_held(1);
  volume->interrupt();
  EXPECT_FALSE(mapped.get());
  volume.reset();
  bridge_->release();
}

TEST_F(JsVolumeTest, InterruptLeavesReadsAndWritesAlone) {
  bridge_->hold();
  Bytes bytes(100);
  auto done = std::async(std::launch::async, [&] { return io_.read(volume_, 0, bytes); });
  bridge_->wait_for_held(1);
  volume_.interrupt();
  EXPECT_EQ(done.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  bridge_->release();
  EXPECT_EQ(done.get(), 0);
}

}  // namespace
}  // namespace blockhaul::test
