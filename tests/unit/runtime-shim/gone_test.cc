// Turns at the ledger: what is looked at without its lock counts only as long as nothing changed.
#include "runtime-shim/state/gone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "oci-config/base/text.h"
#include "runtime-shim/state/liveness.h"
#include "tests/unit/runtime-shim/leases.h"

namespace hami::state {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class Turns : public ::testing::Test {
 protected:
  Turns() { fs::remove_all(dir_); }
  ~Turns() override { fs::remove_all(dir_); }

  [[nodiscard]] Scope scope() const { return {dir_, std::vector<DeviceName>{{"nvidia", "GPU-1"}}, "new"}; }
  [[nodiscard]] Ledger open() const { return *Ledger::open(dir_.string()); }

  [[nodiscard]] Lease living(const std::string& key) const {
    return testing::living_lease(key, dir_, {{"nvidia", "GPU-1", Bytes::mib(3000), Percent{30}, false}});
  }
  [[nodiscard]] Lease dead(const std::string& key) const {
    Lease lease = living(key);
    lease.creator_start += 1;  // the pid is somebody else's now
    return lease;
  }
  void commit(const Lease& lease) const { ASSERT_TRUE(open().commit(lease)); }

  fs::path dir_ = fs::path(::testing::TempDir()) / text::cat({"hami-turns-", std::to_string(::getpid())});
};

Result<> no_room() { return fail(Errc::exhausted, "no room"); }

TEST_F(Turns, AMissingLedgerHasNoLeases) { EXPECT_THAT(Ledger::look(scope()).leases, IsEmpty()); }

TEST_F(Turns, LooksAtWhatIsOnTheDevicesOrHasTheKey) {
  Lease elsewhere = living("b");
  elsewhere.holdings.front().device = "GPU-2";
  Lease own = elsewhere;
  own.key = own.container_id = "new";
  for (const Lease& lease : {living("a"), elsewhere, own}) commit(lease);
  EXPECT_THAT(Ledger::look(scope()).leases, UnorderedElementsAre(living("a"), own));
}

TEST_F(Turns, WhatChangedSinceTheLookIsReadAgain) {
  commit(living("a"));
  commit(living("b"));
  const Snapshot before = Ledger::look(scope());
  Lease changed = living("a");
  changed.holdings.front().memory = Bytes::mib(4000);
  commit(changed);
  ASSERT_TRUE(open().release("b"));
  commit(living("c"));
  EXPECT_THAT(Ledger::open(scope(), before)->leases(), UnorderedElementsAre(changed, living("c")));
}

TEST_F(Turns, ALeaseThatWasMadeAnewSinceTheLookIsNotEnded) {
  commit(dead("a"));
  const auto gone = gone_among(Ledger::look(scope()).leases);
  ASSERT_THAT(gone, SizeIs(1));
  commit(living("a"));
  auto ledger = open();
  EXPECT_THAT(*ledger.end(gone), IsEmpty());
  EXPECT_THAT(ledger.leases(), ElementsAre(living("a")));
}

// The creator is the engine, which makes the next container too: the leases can be equal.
TEST_F(Turns, AnEnginesLeaseIsLookedAtAgain) {
  Lease engine = living("a");
  engine.engine_root.clear();
  engine.created_uptime = uptime();
  commit(engine);
  auto ledger = open();
  EXPECT_THAT(*ledger.end({engine}), IsEmpty());
  EXPECT_THAT(ledger.leases(), ElementsAre(engine));
}

TEST_F(Turns, WhatIsEndedLeavesNothingOnTheNode) {
  commit(dead("a"));
  commit(living("b"));
  fs::create_directories(dir_ / "containers/a");
  fs::create_directories(dir_ / "containers/b");
  auto ledger = open();
  EXPECT_THAT(*ledger.end({dead("a")}), ElementsAre("a"));
  EXPECT_FALSE(fs::exists(dir_ / "containers/a"));
  EXPECT_TRUE(fs::exists(dir_ / "containers/b"));
  EXPECT_FALSE(fs::exists(dir_ / "ledger/a.json"));
  EXPECT_THAT(DeviceIndex(dir_ / "ledger/devices").keys_on({{"nvidia", "GPU-1"}}), ElementsAre("b"));
}

TEST_F(Turns, BesideLivingContainersOneTurnSaysThereIsNoRoom) {
  commit(living("a"));
  int turns = 0;
  const auto done = in_turn(scope(), [&](Ledger&) -> Result<> {
    ++turns;
    return no_room();
  });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::exhausted);
  EXPECT_EQ(turns, 1);
}

TEST_F(Turns, TheRoomOfAllDeadOnesIsThereBeforeARefusal) {
  constexpr std::size_t kMany = 60;  // more than are looked at beside the work
  for (std::size_t i = 0; i < kMany; ++i) commit(dead(text::cat({"d", std::to_string(i)})));
  commit(living("a"));
  std::vector<std::size_t> seen;
  EXPECT_TRUE(in_turn(scope(), [&](Ledger& ledger) -> Result<> {
    seen.push_back(ledger.leases().size());
    return ledger.leases().size() == 1 ? Result<>{} : no_room();
  }));
  // The living one may be among the sixteen that the first turn looks at.
  EXPECT_THAT(seen, ElementsAre(AnyOf(kMany + 1 - 16, kMany + 2 - 16), 1));
}

TEST_F(Turns, AnotherFailureIsFinal) {
  for (int i = 0; i < 30; ++i) commit(dead(text::cat({"d", std::to_string(i)})));
  int turns = 0;
  EXPECT_FALSE(in_turn(scope(), [&](Ledger&) -> Result<> {
    ++turns;
    return fail(Errc::invalid_request, "wrong");
  }));
  EXPECT_EQ(turns, 1);
}

TEST_F(Turns, TheDeadLeaseOfTheKeyIsAlwaysLookedAt) {
  for (int i = 0; i < 60; ++i) commit(living(text::cat({"a", std::to_string(i)})));
  commit(dead("new"));
  EXPECT_THAT(gone_among(Ledger::look(scope()).leases, "new", 0), ElementsAre(dead("new")));
}

TEST_F(Turns, WhoHasTheLockGoesFirstAndEverythingIsAsBeforeAtTheEnd) {
  const int before = ::getpriority(PRIO_PROCESS, 0);
  if (::setpriority(PRIO_PROCESS, 0, before - 1) != 0) GTEST_SKIP() << "needs the right to go first";
  int within = 0;
  EXPECT_FALSE(in_turn(scope(), [&](Ledger&) -> Result<> {
    within = ::getpriority(PRIO_PROCESS, 0);
    return no_room();
  }));
  EXPECT_EQ(within, -20);
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), before - 1);
  ::setpriority(PRIO_PROCESS, 0, before);
}

}  // namespace
}  // namespace hami::state
