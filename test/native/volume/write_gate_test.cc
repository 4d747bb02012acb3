#include "volume/write_gate.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/simulation.h"

namespace blockhaul::test {
namespace {

constexpr WriteGate::Kind kDirect = WriteGate::Kind::direct;
constexpr WriteGate::Kind kCached = WriteGate::Kind::cached;
constexpr WriteGate::Kind kAlone = WriteGate::Kind::alone;

class WriteGateTest : public testing::Test {
 protected:
  struct Write : Request {
    int number = 0;
    std::vector<int>* resumed = nullptr;
  };

  bool enter(int number, WriteGate::Kind kind) {
    Write& write = writes_.at(static_cast<std::size_t>(number));
    write.number = number;
    write.resumed = &resumed_;
    write.reactor = &reactor_;
    return gate_.enter(write, kind, [](Task& task) noexcept {
      Write& next = *static_cast<Write*>(static_cast<Request*>(task.context));
      next.resumed->push_back(next.number);
    });
  }

  void leave() {
    gate_.leave();
    world_.run_to_rest();
  }

  Simulation world_{1};
  SimReactor& reactor_ = world_.add_reactor();
  WriteGate gate_;
  std::vector<Write> writes_ = std::vector<Write>(8);
  std::vector<int> resumed_;
};

TEST_F(WriteGateTest, LetsWritesOfAKindGoOnBesideEachOther) {
  for (const WriteGate::Kind kind : {kDirect, kCached}) {
    EXPECT_TRUE(enter(0, kind));
    EXPECT_TRUE(enter(1, kind));
    leave();
    EXPECT_TRUE(enter(2, kind));
    leave();
    leave();
  }
}

TEST_F(WriteGateTest, HoldsTheOtherKindBackUntilAllAreDone) {
  EXPECT_TRUE(enter(0, kDirect));
  EXPECT_TRUE(enter(1, kDirect));
  EXPECT_FALSE(enter(2, kCached));
  EXPECT_FALSE(enter(3, kCached));
  leave();
  EXPECT_EQ(resumed_, std::vector<int>{});
  leave();
  EXPECT_EQ(resumed_, (std::vector<int>{2, 3}));
  EXPECT_FALSE(enter(4, kDirect));
  leave();
  EXPECT_EQ(resumed_, (std::vector<int>{2, 3})) << "while the other that was let in goes on";
  leave();
  EXPECT_EQ(resumed_, (std::vector<int>{2, 3, 4}));
}

// A stream of direct writes must not keep a cached one waiting for ever.
TEST_F(WriteGateTest, NobodyOvertakesTheLine) {
  EXPECT_TRUE(enter(0, kDirect));
  EXPECT_FALSE(enter(1, kCached));
  EXPECT_FALSE(enter(2, kDirect));
  EXPECT_FALSE(enter(3, kCached));
  leave();
  EXPECT_EQ(resumed_, (std::vector<int>{1}));
  leave();
  EXPECT_EQ(resumed_, (std::vector<int>{1, 2}));
  leave();
  EXPECT_EQ(resumed_, (std::vector<int>{1, 2, 3}));
  leave();
  EXPECT_TRUE(enter(4, kDirect));
}

TEST_F(WriteGateTest, LetsOneThatGoesAloneMeetNobody) {
  EXPECT_TRUE(enter(0, kAlone));
  EXPECT_FALSE(enter(1, kAlone));
  EXPECT_FALSE(enter(2, kAlone));
  EXPECT_FALSE(enter(3, kDirect));
  leave();
  EXPECT_EQ(resumed_, (std::vector<int>{1}));
  leave();
  EXPECT_EQ(resumed_, (std::vector<int>{1, 2}));
  leave();
  EXPECT_EQ(resumed_, (std::vector<int>{1, 2, 3}));
  EXPECT_FALSE(enter(4, kAlone));
  leave();
  EXPECT_EQ(resumed_, (std::vector<int>{1, 2, 3, 4}));
}

}  // namespace
}  // namespace blockhaul::test
