// Slices that a vendor's driver makes. The driver is a shell script that makes and removes files; everything
// else is the real thing.
#include "runtime-shim/subdevices.h"
#include "runtime-shim/state/gone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>

#include "oci-config/base/text.h"
#include "runtime-shim/state/liveness.h"
#include "tests/unit/runtime-shim/leases.h"

namespace hami::shim {
namespace {

namespace fs = std::filesystem;
using state::Ledger;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SubdevicesTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::path(testing::TempDir()) / text::cat({"hami-subdevices-test-", std::to_string(::getpid())});
    fs::remove_all(dir_);
    fs::create_directories(dir_ / "dev");
    state_ = dir_ / "state";
    tool("echo \"$*\" >>" + log() + "; case $1 in create) : >" + dev() + "/part$2;; destroy) rm " + dev() +
         "/part$2;; esac");
  }
  void TearDown() override { fs::remove_all(dir_); }

  [[nodiscard]] std::string dev() const { return dir_ / "dev"; }
  [[nodiscard]] std::string log() const { return dir_ / "log"; }

  // What stands in for the vendor's driver: `create NUMBER` and `destroy NUMBER`.
  void tool(const std::string& script) const {
    const fs::path fresh = dir_ / "fresh";
    std::ofstream(fresh) << "#!/bin/sh\n" << script << "\n";
    fs::permissions(fresh, fs::perms::owner_all);
    fs::rename(fresh, dir_ / "tool");
  }

  // Numbers that we choose from.
  [[nodiscard]] vendors::SubdevicePlan chosen(std::uint32_t count = 16) const {
    vendors::SubdevicePlan plan;
    plan.list = dev() + "/part*";
    plan.first = 100;
    plan.count = count;
    plan.create = {dir_ / "tool", {"create", vendors::kSubdeviceNumber}};
    plan.destroy = {dir_ / "tool", {"destroy", vendors::kSubdeviceNumber}};
    plan.hint = "switch the card's mode";
    return plan;
  }

  [[nodiscard]] state::Lease lease(const std::string& key) const {
    return state::testing::living_lease(key, dir_, {holding()});
  }
  static state::Holding holding() { return {"ascend", "NPU-1", Bytes::mib(8192), Percent{25}}; }

  state::Lease begin(const std::string& key) const {
    auto begun = lease(key);
    auto ledger = Ledger::open(state_);
    EXPECT_TRUE(ledger && ledger->commit(begun));
    return begun;
  }
  void end(const std::string& key) const {
    auto ledger = Ledger::open(state_);
    EXPECT_TRUE(ledger && ledger->release(key));
  }
  void end_stale() const { EXPECT_TRUE(state::end_gone(state_)); }

  Result<std::uint32_t> create(const state::Lease& lease, const vendors::SubdevicePlan& plan) const {
    HAMI_TRY(auto all, Subdevices::open(state_));
    return all.create(lease, holding(), plan);
  }

  [[nodiscard]] std::set<std::string> parts() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(dev())) names.insert(entry.path().filename());
    return names;
  }
  [[nodiscard]] std::vector<std::string> calls() const {
    std::vector<std::string> lines;
    std::ifstream in(log());
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

  // Runs `work` in a process of its own, which must end by SIGKILL.
  template <typename F>
  static void killed(F work) {
    const pid_t child = ::fork();
    if (child == 0) {
      work();
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }

  fs::path dir_;
  std::string state_;
};

TEST_F(SubdevicesTest, OneIsMadeForALeaseAndDestroyedAfterIt) {
  const auto lease = begin("one");
  const auto number = create(lease, chosen());
  ASSERT_TRUE(number) << number.error().line();
  EXPECT_EQ(*number, 100U);
  EXPECT_THAT(parts(), ElementsAre("part100"));

  EXPECT_THAT(reclaim_subdevices(state_), IsEmpty());
  EXPECT_THAT(parts(), ElementsAre("part100")) << "its container lives";

  end("one");
  EXPECT_THAT(reclaim_subdevices(state_), IsEmpty());
  EXPECT_THAT(parts(), IsEmpty());
  EXPECT_FALSE(has_subdevices(state_));
  EXPECT_THAT(calls(), ElementsAre("create 100", "destroy 100"));
}

TEST_F(SubdevicesTest, AskedTwiceForOneLeaseTheDriverMakesOne) {
  const auto lease = begin("one");
  EXPECT_EQ(create(lease, chosen()).value(), 100U);
  EXPECT_EQ(create(lease, chosen()).value(), 100U);
  EXPECT_THAT(calls(), ElementsAre("create 100"));
}

TEST_F(SubdevicesTest, NumbersThatSomebodyElseHasAreLeftAlone) {
  std::ofstream(dev() + "/part100") << "";
  EXPECT_EQ(create(begin("one"), chosen()).value(), 101U);
  const auto none = create(begin("two"), chosen(2));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::exhausted);
  end("one");
  EXPECT_THAT(reclaim_subdevices(state_), IsEmpty());
  EXPECT_THAT(parts(), ElementsAre("part100"));
}

TEST_F(SubdevicesTest, ADriverThatChoosesTheNumberSaysItOrShowsIt) {
  auto plan = chosen(0);
  plan.create.arguments = {"create"};
  tool("case $1 in create) : >" + dev() + "/part7; echo 7;; destroy) rm " + dev() + "/part$2;; esac");
  EXPECT_EQ(create(begin("one"), plan).value(), 7U);

  tool("case $1 in create) : >" + dev() + "/part8;; destroy) rm " + dev() + "/part$2;; esac");
  EXPECT_EQ(create(begin("two"), plan).value(), 8U);

  end("one");
  EXPECT_THAT(reclaim_subdevices(state_), IsEmpty());
  EXPECT_THAT(parts(), ElementsAre("part8"));
}

// Every moment at which the creating process can be killed, and what is there then.
struct Moment {
  const char* name;
  const char* script;  // of the driver; @ is its directory
};

class KilledAt : public SubdevicesTest, public testing::WithParamInterface<Moment> {};

TEST_P(KilledAt, NothingIsLeftAndNothingOfOthersIsTouched) {
  const auto neighbour = create(begin("neighbour"), chosen());
  ASSERT_TRUE(neighbour);
  std::string script = GetParam().script;
  for (auto at = script.find('@'); at != std::string::npos; at = script.find('@'))
    script.replace(at, 1, dev());
  tool(script);
  killed([&] {
    static_cast<void>(create(begin("killed"), chosen()));
    ::raise(SIGKILL);
  });

  tool("rm " + dev() + "/part$2");
  end_stale();
  EXPECT_THAT(reclaim_subdevices(state_), IsEmpty());
  EXPECT_THAT(parts(), ElementsAre("part100"));
  EXPECT_EQ(Subdevices::open(state_)->records().size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Subdevices, KilledAt,
    testing::Values(Moment{"BeforeTheDriverActs", "[ $1 = create ] && kill -9 $PPID"},
                    Moment{"AfterTheDriverActed", "[ $1 = create ] && : >@/part$2 && kill -9 $PPID"},
                    Moment{"AfterItWasWrittenDown", "[ $1 = create ] && : >@/part$2"},
                    Moment{"WhileItIsUndone",
                           "case $1 in create) : >@/part$2; exit 3;; destroy) kill -9 $PPID;; esac"}),
    [](const auto& entry) { return entry.param.name; });

TEST_F(SubdevicesTest, AKillBetweenDestroyingAndForgettingIsNoDestructionOfTheNextOne) {
  ASSERT_TRUE(create(begin("one"), chosen()));
  end("one");
  tool("rm " + dev() + "/part$2; kill -9 $PPID");
  killed([&] { static_cast<void>(reclaim_subdevices(state_)); });
  EXPECT_TRUE(has_subdevices(state_));

  std::ofstream(dev() + "/stays-in-between") << "";  // so that the file system does not use the inode again
  std::ofstream(dev() + "/part100") << "somebody else's";
  tool("rm " + dev() + "/part$2");
  EXPECT_THAT(reclaim_subdevices(state_), IsEmpty());
  EXPECT_FALSE(has_subdevices(state_));
}

TEST_F(SubdevicesTest, ALeaseThatCannotBeReadKeepsWhatIsItsOwn) {
  ASSERT_TRUE(create(begin("one"), chosen()));
  std::ofstream(state_ + "/ledger/one.json") << "garbage";
  EXPECT_THAT(reclaim_subdevices(state_), IsEmpty());
  EXPECT_THAT(reclaim_subdevices(state_), IsEmpty()) << "also after it was set aside";
  EXPECT_THAT(parts(), ElementsAre("part100"));
}

TEST_F(SubdevicesTest, ARecordThatCannotBeReadIsReportedAndLeft) {
  ASSERT_TRUE(create(begin("one"), chosen()));
  std::ofstream(state_ + "/subdevices/other.json") << "{";
  std::ofstream(state_ + "/subdevices/another.json")
      << R"({"key":"../../etc","creatorPid":1,"creatorStart":1,"list":"/tmp/*","identity":"",)"
         R"("before":[],"number":[],"destroy":["/bin/true"],"holding":{"vendor":"a","device":"b",)"
         R"("memory":0,"cores":0,"exclusive":false}})";
  EXPECT_EQ(reclaim_subdevices(state_).size(), 2U);
}

// A driver that does not do what it should.
struct Fault {
  const char* name;
  const char* script;
  const char* says;
};

class FaultyDriver : public SubdevicesTest, public testing::WithParamInterface<Fault> {};

TEST_P(FaultyDriver, IsOneErrorAndNothingHalfMade) {
  std::string script = GetParam().script;
  for (auto at = script.find('@'); at != std::string::npos; at = script.find('@'))
    script.replace(at, 1, dev());
  tool(script);
  auto plan = chosen();
  plan.timeout_ms = 300;
  if (std::string_view(GetParam().name) == "TellsGarbage") plan.count = 0;
  const auto made = create(begin("one"), plan);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().line(), HasSubstr(GetParam().says));
  EXPECT_THAT(made.error().line(), HasSubstr("switch the card's mode"));
  EXPECT_EQ(made.error().line().find('\n'), std::string::npos);
  EXPECT_THAT(parts(), IsEmpty());
  EXPECT_FALSE(has_subdevices(state_));
}

INSTANTIATE_TEST_SUITE_P(
    Subdevices, FaultyDriver,
    testing::Values(
        Fault{"Crashes", "kill -SEGV $$", "crashed (Segmentation fault)"},
        Fault{"CrashesAfterItMadeOne",
              "case $1 in create) : >@/part$2; kill -SEGV $$;; destroy) rm @/part$2;; esac", "crashed"},
        Fault{"Hangs", "[ $1 = create ] && sleep 1000 & wait", "no answer within 300 ms"},
        Fault{"Refuses", "echo 'no room left on the card' >&2; exit 4", "no room left on the card"},
        Fault{"OnlySaysItMadeOne", "exit 0", "is not there"},
        Fault{"TellsGarbage", "case $1 in create) : >@/part5; echo many;; destroy) rm @/part$2;; esac",
              "'many', which is no number"}),
    [](const auto& entry) { return entry.param.name; });

TEST_F(SubdevicesTest, WhatCannotBeDestroyedStaysOnRecordAndCountsAsHeld) {
  const auto lease = begin("one");
  ASSERT_TRUE(create(lease, chosen()));
  EXPECT_THAT(subdevices_left(state_, {lease}), IsEmpty());
  end("one");
  tool("echo 'card is busy' >&2; exit 1");
  EXPECT_THAT(reclaim_subdevices(state_), ElementsAre(HasSubstr("card is busy")));
  const auto left = subdevices_left(state_, {});
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].holding, holding());

  tool("rm " + dev() + "/part$2");
  EXPECT_THAT(reclaim_subdevices(state_), IsEmpty());
  EXPECT_THAT(subdevices_left(state_, {}), IsEmpty());
}

TEST_F(SubdevicesTest, ManyAtOnceGetDifferentOnes) {
  constexpr int kContainers = 12;
  std::vector<pid_t> children;
  for (int i = 0; i < kContainers; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      const auto number = create(begin("c" + std::to_string(i)), chosen());
      ::_exit(number ? static_cast<int>(*number) : 1);
    }
    children.push_back(child);
  }
  std::set<int> numbers;
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    numbers.insert(WEXITSTATUS(status));
  }
  EXPECT_EQ(numbers.size(), static_cast<std::size_t>(kContainers));
  EXPECT_EQ(*numbers.begin(), 100);
  EXPECT_EQ(calls().size(), static_cast<std::size_t>(kContainers));
  // They are all dead now, and so are their leases.
  end_stale();
  EXPECT_THAT(reclaim_subdevices(state_), IsEmpty());
  EXPECT_THAT(parts(), IsEmpty());
}

TEST_F(SubdevicesTest, ARecordSurvivesBeingWrittenAndRead) {
  state::SubdeviceRecord record{
      "key", 7, 8, holding(), "/dev/x*", {1, 2}, 3, "4:5", {"/bin/tool", "a b", ""}};
  EXPECT_EQ(state::parse_subdevice(state::to_json(record)).value(), record);
  record.number.reset();
  EXPECT_EQ(state::parse_subdevice(state::to_json(record)).value(), record);
}

}  // namespace
}  // namespace hami::shim
