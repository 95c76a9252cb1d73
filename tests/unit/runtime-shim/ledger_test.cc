#include "runtime-shim/state/ledger.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "runtime-shim/state/gone.h"
#include "runtime-shim/state/lease_json.h"
#include "runtime-shim/state/liveness.h"
#include "tests/unit/runtime-shim/leases.h"

namespace hami::state {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using ::testing::UnorderedElementsAreArray;

class LedgerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::path(::testing::TempDir()) / text::cat({"hami-ledger-test-", std::to_string(::getpid())});
    fs::remove_all(dir_);
  }
  void TearDown() override { fs::remove_all(dir_); }

  Ledger open() {
    auto ledger = Ledger::open(dir_);
    EXPECT_TRUE(ledger) << ledger.error().line();
    return *std::move(ledger);
  }

  // A lease of this process: its creator lives.
  Lease living(const std::string& key) const {
    return testing::living_lease(key, dir_, {{"nvidia", "GPU-1", Bytes::mib(3000), Percent{30}, false}});
  }

  Lease dead(const std::string& key) const {
    Lease lease = living(key);
    lease.creator_start += 1;  // the pid is somebody else's now
    return lease;
  }

  fs::path dir_;
};

TEST_F(LedgerTest, KeepsWhatWasCommitted) {
  ASSERT_TRUE(open().commit(living("a")));
  ASSERT_TRUE(open().commit(living("b")));

  EXPECT_THAT(open().leases(), ElementsAre(living("a"), living("b")));
}

TEST_F(LedgerTest, ReplacesALeaseWithTheSameKey) {
  Lease changed = living("a");
  changed.holdings.front().memory = Bytes::mib(1);
  ASSERT_TRUE(open().commit(living("a")));
  ASSERT_TRUE(open().commit(changed));

  EXPECT_THAT(open().leases(), ElementsAre(changed));
}

TEST_F(LedgerTest, ReleaseRemovesLeaseAndDirectoryAndIsIdempotent) {
  ASSERT_TRUE(open().commit(living("a")));
  fs::create_directories(dir_ / "containers/a");
  std::ofstream(dir_ / "containers/a/usage") << "x";

  EXPECT_TRUE(open().release("a"));
  EXPECT_TRUE(open().release("a"));

  EXPECT_THAT(open().leases(), IsEmpty());
  EXPECT_FALSE(fs::exists(dir_ / "containers/a"));
}

TEST_F(LedgerTest, RefusesKeysThatLeadElsewhere) {
  auto ledger = open();
  for (const char* key : {"", ".", "..", "../x", "a/b", ".hidden"}) {
    EXPECT_FALSE(ledger.release(key)) << key;
    EXPECT_FALSE(ledger.commit(living(key))) << key;
  }
}

TEST_F(LedgerTest, SetsAUnreadableLeaseAsideAndSaysSo) {
  ASSERT_TRUE(open().commit(living("good")));
  std::ofstream(dir_ / "ledger/bad.json") << "{\"key\":";
  ::chmod((dir_ / "ledger/bad.json").c_str(), 0600);

  {
    const auto ledger = open();
    EXPECT_THAT(ledger.leases(), ElementsAre(living("good")));
    EXPECT_THAT(ledger.findings(), ElementsAre(HasSubstr("bad.json")));
  }
  EXPECT_TRUE(fs::exists(dir_ / "ledger/bad.json.corrupt"));
  EXPECT_THAT(open().findings(), IsEmpty());
}

TEST_F(LedgerTest, ADamagedLeaseKeepsItsDevicesUntilItIsReleased) {
  Lease two = living("two");
  two.holdings.push_back({"nvidia", "GPU-2", Bytes::mib(1), Percent{1}, false});
  ASSERT_TRUE(open().commit(two));
  std::ofstream(dir_ / "ledger/two.json") << "{\"key\":";

  const auto expect_held = [](const Ledger& ledger) {
    ASSERT_THAT(ledger.leases(), SizeIs(1));
    const Lease& lease = ledger.leases().front();
    EXPECT_TRUE(lease.damaged);
    EXPECT_EQ(lease.key, "two");
    EXPECT_THAT(lease.holdings, UnorderedElementsAre(Holding{"nvidia", "GPU-1", Bytes{}, Percent{}, true},
                                                     Holding{"nvidia", "GPU-2", Bytes{}, Percent{}, true}));
    EXPECT_THAT(ledger.findings(), ElementsAre(AllOf(HasSubstr("two.json"), HasSubstr("GPU-1"),
                                                     HasSubstr("hamictl release two"))));
  };
  expect_held(open());
  expect_held(open());  // it is told every time
  expect_held(*Ledger::open_for(dir_, {{"nvidia", "GPU-2"}}, "other"));
  EXPECT_THAT(Ledger::open_for(dir_, {{"nvidia", "GPU-3"}}, "other")->leases(), IsEmpty());

  {
    ASSERT_TRUE(end_gone(dir_));
    auto ledger = open();
    expect_held(ledger);
    ASSERT_TRUE(ledger.release("two"));
  }
  EXPECT_THAT(open().leases(), IsEmpty());
  EXPECT_THAT(Ledger::open_for(dir_, {{"nvidia", "GPU-1"}}, "other")->findings(), IsEmpty());
}

TEST_F(LedgerTest, AContainerThatIsMadeAnewMendsItsDamagedLease) {
  ASSERT_TRUE(open().commit(living("a")));
  std::ofstream(dir_ / "ledger/a.json") << "";

  ASSERT_TRUE(open().commit(living("a")));

  EXPECT_THAT(open().leases(), ElementsAre(living("a")));
}

TEST_F(LedgerTest, ALeaseUnderAnothersNameIsNone) {
  ASSERT_TRUE(open().commit(living("good")));
  fs::copy_file(dir_ / "ledger/good.json", dir_ / "ledger/other.json");

  const auto ledger = open();

  EXPECT_THAT(ledger.leases(), ElementsAre(living("good")));
  EXPECT_THAT(ledger.findings(), ElementsAre(HasSubstr("other.json")));
}

TEST_F(LedgerTest, RemovesWhatAKilledWriterLeft) {
  (void)open();
  std::ofstream(dir_ / "ledger/.a.json.tmp-1") << "half";
  fs::create_directories(dir_ / "containers/orphan");

  ASSERT_TRUE(end_gone(dir_));

  EXPECT_FALSE(fs::exists(dir_ / "ledger/.a.json.tmp-1"));
  EXPECT_FALSE(fs::exists(dir_ / "containers/orphan"));
}

// Killed in the middle of writing, over and over: creates that load only their own devices tidy up too.
TEST_F(LedgerTest, KilledWritersDoNotPileUp) {
  ASSERT_TRUE(open().commit(living("a")));
  const auto is_temporary = [](const fs::directory_entry& entry) {
    const std::string name = entry.path().filename();
    return entry.is_regular_file() && name.front() == '.' && name != ".complete.2" && name != ".name";
  };
  const auto temporaries = [&] {
    const fs::recursive_directory_iterator all(dir_ / "ledger");
    return std::count_if(begin(all), end(all), is_temporary);
  };
  for (int i = 0; i < 200; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int k = 0;; ++k) {
        Lease lease = living(text::cat({"w", text::number(static_cast<std::uint64_t>(k % 3))}));
        lease.holdings.front().device = text::cat({"GPU-", text::number(static_cast<std::uint64_t>(i % 3))});
        auto ledger = Ledger::open_for(dir_, devices_of(lease), lease.key);
        if (ledger) (void)ledger->commit(lease);
      }
    }
    ::usleep(static_cast<useconds_t>(300 + 37 * (i % 50)));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ASSERT_LE(temporaries(), 4) << "one lease, and the names of three devices, at most";
  }
  for (const char* device : {"GPU-0", "GPU-1", "GPU-2"}) {
    Lease last = living(device);
    last.holdings.front().device = device;
    ASSERT_TRUE(Ledger::open_for(dir_, devices_of(last), last.key)->commit(last));
  }
  EXPECT_EQ(temporaries(), 0);
}

TEST_F(LedgerTest, EndsTheLeasesOfDeadContainersOnly) {
  Lease old_boot = living("old-boot");
  old_boot.boot_id = "another";
  for (const Lease& lease : {living("living"), dead("dead"), old_boot}) ASSERT_TRUE(open().commit(lease));

  EXPECT_THAT(*end_gone(dir_), ElementsAre("dead", "old-boot"));
  EXPECT_THAT(open().leases(), ElementsAre(living("living")));
}

TEST_F(LedgerTest, TimesOutWhenAnotherHoldsTheLock) {
  const auto held = open();

  const auto start = std::chrono::steady_clock::now();
  const auto second = Ledger::open(dir_, 50);

  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().line(), HasSubstr("held by another process"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST_F(LedgerTest, WaitingForTheLockLeavesSignalsAsTheyWere) {
  struct sigaction before {};
  before.sa_handler = SIG_IGN;
  ::sigaction(SIGALRM, &before, nullptr);
  sigset_t blocked;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGALRM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  {
    const auto held = open();
    EXPECT_FALSE(Ledger::open(dir_, 30));
  }
  EXPECT_TRUE(Ledger::open(dir_, 30));

  struct sigaction after {};
  ::sigaction(SIGALRM, nullptr, &after);
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_EQ(after.sa_handler, SIG_IGN);
  EXPECT_TRUE(::sigismember(&mask, SIGALRM));
  ::signal(SIGALRM, SIG_DFL);
  ::pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
}

TEST_F(LedgerTest, WaitersGetTheLockAsSoonAsItIsFree) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t holder = ::fork();
  if (holder == 0) {
    const auto held = Ledger::open(dir_);
    (void)!::write(ready[1], "x", 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    ::_exit(held ? 0 : 1);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);

  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(Ledger::open(dir_, 5000));

  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
  ::waitpid(holder, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(LedgerTest, HoldsTenThousandLeases) {
  dir_ = fs::path("/dev/shm") / dir_.filename();  // as in production: a file system in memory
  {
    auto ledger = open();
    fs::create_directories(dir_ / "ledger");
    for (int i = 0; i < 10000; ++i) {
      const std::string key = text::cat({"c", std::to_string(i)});
      std::ofstream(dir_ / "ledger" / (key + ".json")) << to_json(living(key));
    }
  }
  auto ledger = open();
  EXPECT_EQ(ledger.leases().size(), 10000U);
  EXPECT_TRUE(ledger.commit(living("one-more")));
  EXPECT_TRUE(ledger.end(gone_among(ledger.leases(), "", 16)));
}

// A lease of this process on one device.
Lease on(Lease lease, const std::string& device) {
  lease.holdings.front().device = device;
  return lease;
}

TEST_F(LedgerTest, LoadsOnlyWhatIsOnTheDevicesOrHasTheKey) {
  {
    auto ledger = open();
    ASSERT_TRUE(ledger.commit(on(living("a"), "GPU-1")));
    ASSERT_TRUE(ledger.commit(on(living("b"), "GPU-2")));
    ASSERT_TRUE(ledger.commit(on(living("c"), "GPU-3")));
  }
  std::ofstream(dir_ / "ledger/c.json") << "unreadable";

  const auto one = Ledger::open_for(dir_, {{"nvidia", "GPU-1"}}, "b");
  EXPECT_THAT(one->leases(), UnorderedElementsAre(on(living("a"), "GPU-1"), on(living("b"), "GPU-2")));
  EXPECT_THAT(one->findings(), IsEmpty()) << "the lease on the third device was read";
}

TEST_F(LedgerTest, LoadsWhatIsOfTheNamespaceToo) {
  const auto of = [](Lease lease, const std::string& name_space) {
    lease.pod_namespace = name_space;
    return lease;
  };
  const Lease team = of(on(living("a"), "GPU-1"), "team");
  {
    auto ledger = open();
    ASSERT_TRUE(ledger.commit(team));
    ASSERT_TRUE(ledger.commit(of(on(living("b"), "GPU-1"), "others")));
    ASSERT_TRUE(ledger.commit(on(living("c"), "GPU-3")));
  }
  const auto loaded = [&](const DeviceName& name) { return Ledger::open_for(dir_, {name}, "")->leases(); };
  EXPECT_THAT(loaded({"", "team"}), ElementsAre(team));
  EXPECT_THAT(loaded({"", "nobody"}), IsEmpty());

  std::ofstream(dir_ / "ledger/a.json") << "unreadable";
  {
    const auto damaged = loaded({"", "team"});
    ASSERT_THAT(damaged, SizeIs(1));
    EXPECT_EQ(damaged[0].pod_namespace, "team");
    EXPECT_THAT(damaged[0].holdings, ElementsAre(Holding{"nvidia", "GPU-1", Bytes{}, Percent{}, true}));
  }
  ASSERT_TRUE(open().release("a"));
  EXPECT_THAT(loaded({"", "team"}), IsEmpty());
}

TEST_F(LedgerTest, AnIndexOfAnOlderKindIsMadeAnew) {
  Lease lease = on(living("a"), "GPU-1");
  lease.pod_namespace = "team";
  ASSERT_TRUE(open().commit(lease));
  fs::remove_all(dir_ / "ledger/devices");
  fs::create_directories(dir_ / "ledger/devices");
  std::ofstream(dir_ / "ledger/devices/.complete");
  EXPECT_THAT(Ledger::open_for(dir_, {{"", "team"}}, "")->leases(), ElementsAre(lease));
  EXPECT_THAT(Ledger::open_for(dir_, {{"", "nobody"}}, "")->leases(), IsEmpty());
}

TEST_F(LedgerTest, ALeaseThatMovedIsOnItsNewDeviceOnly) {
  ASSERT_TRUE(open().commit(on(living("a"), "GPU-1")));
  ASSERT_TRUE(open().commit(on(living("a"), "GPU-2")));
  EXPECT_THAT(Ledger::open_for(dir_, {{"nvidia", "GPU-1"}}, "")->leases(), IsEmpty());
  EXPECT_THAT(Ledger::open_for(dir_, {{"nvidia", "GPU-2"}}, "")->leases(),
              ElementsAre(on(living("a"), "GPU-2")));
}

TEST_F(LedgerTest, AWriterThatDiedBeforeItsLeaseHoldsNothing) {
  { (void)open(); }
  DeviceIndex index(dir_ / "ledger/devices");
  ASSERT_TRUE(index.add(on(living("a"), "GPU-1")));
  { EXPECT_THAT(Ledger::open_for(dir_, {{"nvidia", "GPU-1"}}, "")->leases(), IsEmpty()); }
  EXPECT_THAT(index.keys_on({{"nvidia", "GPU-1"}}), IsEmpty());
}

TEST_F(LedgerTest, WhatIsListedWithoutALeaseIsUnlistedWhenEverythingIsLoaded) {
  ASSERT_TRUE(open().commit(on(living("a"), "GPU-1")));
  DeviceIndex index(dir_ / "ledger/devices");
  ASSERT_TRUE(index.add(on(living("gone"), "GPU-1")));
  { EXPECT_THAT(open().findings(), IsEmpty()); }
  EXPECT_THAT(index.keys_on({{"nvidia", "GPU-1"}}), ElementsAre("a"));
}

TEST_F(LedgerTest, ALeaseThatIsNotListedIsFoundAndListedAgain) {
  ASSERT_TRUE(open().commit(on(living("a"), "GPU-1")));
  DeviceIndex(dir_ / "ledger/devices").remove(on(living("a"), "GPU-1"));
  {
    EXPECT_THAT(open().findings(),
                ElementsAre(HasSubstr("a.json': not listed under its devices: listed again")));
  }
  { EXPECT_THAT(open().findings(), IsEmpty()); }
  EXPECT_THAT(Ledger::open_for(dir_, {{"nvidia", "GPU-1"}}, "")->leases(),
              ElementsAre(on(living("a"), "GPU-1")));
}

TEST_F(LedgerTest, WithoutTheListsEveryLeaseIsLoaded) {
  ASSERT_TRUE(open().commit(on(living("a"), "GPU-1")));
  fs::remove_all(dir_ / "ledger/devices");
  { EXPECT_THAT(Ledger::open_for(dir_, {}, "")->leases(), ElementsAre(on(living("a"), "GPU-1"))); }
  { EXPECT_THAT(Ledger::open_for(dir_, {}, "")->leases(), IsEmpty()); }
}

TEST_F(LedgerTest, AnOpeningForSomeDevicesRemovesNobodysDirectory) {
  ASSERT_TRUE(open().commit(on(living("a"), "GPU-1")));
  fs::create_directories(dir_ / "containers/a");
  { EXPECT_TRUE(Ledger::open_for(dir_, {{"nvidia", "GPU-2"}}, "")->remove_orphans()); }
  EXPECT_TRUE(fs::exists(dir_ / "containers/a"));
}

TEST_F(LedgerTest, RefusesADirectoryThatOthersCanWrite) {
  fs::create_directories(dir_);
  ::chmod(dir_.c_str(), 0777);

  const auto ledger = Ledger::open(dir_);

  ASSERT_FALSE(ledger);
  EXPECT_EQ(ledger.error().code, Errc::denied);
}

TEST_F(LedgerTest, LeavesNothingBehindOnAFullDisk) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount a small file system";
  fs::create_directories(dir_);
  if (::mount("tmpfs", dir_.c_str(), "tmpfs", 0, "size=64k,mode=0700") != 0)
    GTEST_SKIP() << "this sandbox does not let us mount: " << std::strerror(errno);
  {
    auto ledger = open();
    int kept = 0;
    while (kept < 1000 && ledger.commit(living(text::cat({"c", std::to_string(kept)})))) ++kept;
    EXPECT_GT(kept, 0);
    EXPECT_LT(kept, 1000);
    EXPECT_EQ(ledger.leases().size(), static_cast<std::size_t>(kept));
    EXPECT_THAT(DeviceIndex(dir_ / "ledger/devices").keys_on({{"nvidia", "GPU-1"}}),
                SizeIs(static_cast<std::size_t>(kept)));
  }
  const auto reopened = open();
  EXPECT_THAT(reopened.findings(), IsEmpty());
  for (const auto& entry : fs::directory_iterator(dir_ / "ledger")) {
    EXPECT_NE(entry.path().filename().string().front(), '.') << entry.path();
  }
  ::umount2(dir_.c_str(), MNT_DETACH);
}

TEST_F(LedgerTest, SurvivesWritersKilledAtAnyMoment) {
  std::mt19937 random(7);
  for (int round = 0; round < 40; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int i = 0;; ++i) {
        auto ledger = Ledger::open(dir_);
        const std::string key = text::cat({"c", std::to_string(i % 7)});
        if (i % 3 == 2) {
          (void)ledger->release(key);
        } else {
          (void)ledger->commit(living(key));
        }
      }
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200 + random() % 6000));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);

    const auto by_device = Ledger::open_for(dir_, {{"nvidia", "GPU-1"}}, "")->leases();
    const auto ledger = open();
    ASSERT_THAT(ledger.findings(), IsEmpty());
    ASSERT_THAT(by_device, UnorderedElementsAreArray(ledger.leases()));
    for (const Lease& lease : ledger.leases()) ASSERT_EQ(lease.holdings, living("x").holdings);
  }
}

TEST_F(LedgerTest, KeysAreSafeAndDifferByRootAndId) {
  EXPECT_NE(lease_key("/run/a", "c"), lease_key("/run/b", "c"));
  EXPECT_NE(lease_key("/run/a", "c"), lease_key("/run/a", "d"));
  EXPECT_NE(lease_key("/r", "a/b"), lease_key("/r", "a_b"));
  for (const char* id : {"", ".", "..", "../../x", "a b", "a\nb", "-x"}) {
    EXPECT_TRUE(open().commit(living(lease_key("/r", id)))) << id;
  }
  EXPECT_TRUE(open().commit(living(lease_key("/r", std::string(5000, 'x')))));
}

TEST(LeaseJson, ReadsWhatItWrites) {
  Lease lease;
  lease.key = "k";
  lease.container_id = "quote \" and \n newline";
  lease.creator_start = UINT64_MAX;
  lease.pod_namespace = "team-a";
  lease.holdings = {{"nvidia", "GPU-1", Bytes{UINT64_MAX}, Percent{100}, true}};

  lease.holdings.front().mode = "mps";

  EXPECT_EQ(*parse_lease(to_json(lease)), lease);
}

TEST(LeaseJson, RefusesAnythingElse) {
  const std::string good = to_json(Lease{});
  for (const std::string& bad : {std::string(), std::string("[]"), std::string("{}"),
                                 good.substr(0, good.size() / 2), std::string("{\"key\": 3}")}) {
    EXPECT_FALSE(parse_lease(bad)) << bad;
  }
  std::string negative = good;
  negative.replace(negative.find("\"creatorPid\":0"), 14, "\"creatorPid\":-1");
  EXPECT_FALSE(parse_lease(negative));
}

// A container directory as runc and crun leave it, with a first process of our choice.
class Liveness : public LedgerTest {
 protected:
  void write_state(const std::string& name, const std::string& json) {
    fs::create_directories(dir_ / "runc/c");
    std::ofstream(dir_ / "runc/c" / name) << json;
  }
  static std::string runc(int pid, std::uint64_t start, const std::string& cgroup = "") {
    return text::cat({"{\"init_process_pid\":", std::to_string(pid), ",\"init_process_start\":",
                      std::to_string(start), ",\"cgroup_paths\":{\"devices\":\"", cgroup, "\"}}"});
  }
  static std::string crun(int pid, std::uint64_t start) {
    return text::cat({"{\"pid\":", std::to_string(pid), ",\"process-start-time\":", std::to_string(start),
                      ",\"cgroup-path\":\"/none\"}"});
  }
  [[nodiscard]] bool stale() const { return is_stale(dead("c")); }
};

TEST_F(Liveness, WithoutAStateDirectoryAndCreatorItIsStale) { EXPECT_TRUE(stale()); }

TEST_F(Liveness, ALivingFirstProcessKeepsTheLease) {
  write_state("state.json", runc(::getpid(), *start_time(::getpid())));
  EXPECT_FALSE(stale());
  fs::remove(dir_ / "runc/c/state.json");
  write_state("status", crun(::getpid(), *start_time(::getpid())));
  EXPECT_FALSE(stale());
}

TEST_F(Liveness, ADeadFirstProcessEndsIt) {
  write_state("state.json", runc(::getpid(), *start_time(::getpid()) + 1));
  EXPECT_TRUE(stale());
}

TEST_F(Liveness, ProcessesLeftInTheCgroupKeepTheLease) {
  fs::create_directories(dir_ / "cgroup/child");
  std::ofstream(dir_ / "cgroup/child/cgroup.procs") << "1\n";
  write_state("state.json", runc(::getpid(), 1, dir_ / "cgroup"));
  EXPECT_FALSE(stale());

  std::ofstream(dir_ / "cgroup/child/cgroup.procs") << "";
  EXPECT_TRUE(stale());
}

TEST_F(Liveness, InDoubtTheLeaseStays) {
  write_state("state.json", "half a file");
  EXPECT_FALSE(stale());
}

// An engine that prepares containers by hooks: it lives on, and the runtime's state is not there yet.
TEST_F(Liveness, AContainerInTheMakingIsAliveWhateverTheClockSays) {
  Lease lease = dead("c");
  lease.engine_root.clear();
  lease.creator_pid = ::getpid();
  lease.creator_start = *start_time(::getpid());
  lease.created_uptime = uptime();
  for (const std::int64_t clock : {std::int64_t{0}, std::int64_t{4102444800}}) {
    lease.created_at = clock;
    EXPECT_FALSE(is_stale(lease)) << clock;
  }
  constexpr std::uint64_t kLongAgo = 400;
  if (uptime() < kLongAgo) GTEST_SKIP() << "this machine was started minutes ago";
  lease.created_uptime -= kLongAgo;
  EXPECT_TRUE(is_stale(lease)) << "an engine that lives on long after";
}

TEST_F(Liveness, KnowsProcessesWithAnyName) {
  const std::string proc = dir_ / "proc";
  fs::create_directories(proc + "/7");
  std::ofstream(proc + "/7/stat") << "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 0 0\n";
  EXPECT_EQ(start_time(7, proc), 4711U);

  std::ofstream(proc + "/7/stat") << "7 (z) Z 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 0 0\n";
  EXPECT_EQ(start_time(7, proc), std::nullopt);
  EXPECT_EQ(start_time(8, proc), std::nullopt);
}

}  // namespace
}  // namespace hami::state
