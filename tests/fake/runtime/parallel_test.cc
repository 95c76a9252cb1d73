// Two hundred creates at once by hami-runtime itself, on eight cards that have room for exactly a hundred,
// also while others are killed. $HAMI_TEST_REPEATS says how often (1). With $HAMI_TEST_TRACE, a directory,
// each create runs under strace, which writes there how long it waited for locks: flock's time, in seconds.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "runtime-shim/state/lease_json.h"
#include "tests/fake/runtime/node.h"

namespace hami::fake {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kCreates = 200;
constexpr std::size_t kRoom = 100;
constexpr std::uint64_t kPartMib = 1000;
const std::vector<std::uint64_t> kCards{13000, 12000, 13000, 12000, 13000, 12000, 13000, 12000};

int repeats() {
  const char* asked = std::getenv("HAMI_TEST_REPEATS");
  return asked == nullptr ? 1 : std::atoi(asked);
}

class ParallelPrograms : public ::testing::Test {
 protected:
  // The ledger is in memory, as it is on a node.
  ParallelPrograms() {
    node.state = fs::path("/dev/shm") / ("hami-programs-" + std::to_string(::getpid()));
    node.configure("[policy]\nsplit_count = 100\n");
  }
  ~ParallelPrograms() override { fs::remove_all(node.state); }

  fs::path part_bundle(const std::string& id) {
    return node.bundle(id, {{"nvidia.com/gpu", "1"}, {"nvidia.com/gpumem", std::to_string(kPartMib)}});
  }

  int start(const std::string& id) {
    const char* trace = std::getenv("HAMI_TEST_TRACE");
    std::vector<std::string> wrapper;
    if (trace != nullptr)
      wrapper = {
          "/usr/bin/strace", "-f", "-qq", "-T", "-e", "trace=flock", "-o", std::string(trace) + "/" + id};
    return node.start_create(part_bundle(id), id, std::move(wrapper));
  }

  void expect_full_cards() {
    std::map<std::string, std::uint64_t> held;
    for (const std::string& name : node.leases()) {
      const auto lease = state::parse_lease(read(node.state / "ledger" / name));
      ASSERT_TRUE(lease) << name;
      for (const auto& holding : lease->holdings) held[holding.device] += holding.memory.whole_mib();
    }
    for (std::size_t i = 0; i < kCards.size(); ++i)
      EXPECT_EQ(held["GPU-1111111" + std::to_string(i) + "-0000-0000-0000-000000000000"], kCards[i]);
  }

  Node node{kCards};
};

TEST_F(ParallelPrograms, ExactlyTheHundredStartThatHaveRoomAndTheOthersAreToldWhy) {
  for (int round = 0; round < repeats(); ++round) {
    SCOPED_TRACE(round);
    const auto id = [&](int i) { return "c" + std::to_string(round) + "-" + std::to_string(i); };
    std::vector<int> pids;
    for (int i = 0; i < kCreates; ++i) pids.push_back(start(id(i)));
    std::size_t started = 0;
    for (int i = 0; i < kCreates; ++i) {
      const int status = wait_for(pids[static_cast<std::size_t>(i)]);
      started += status == 0 ? 1U : 0U;
      if (status == 0) continue;
      EXPECT_EQ(status, 1);
      EXPECT_THAT(
          read(node.dir / "bundles" / id(i) / "stderr"),
          AllOf(HasSubstr("'nvidia.com/gpu' asks for 1 nvidia device with 1000MiB"), HasSubstr("device 0")));
    }
    EXPECT_EQ(started, kRoom);
    EXPECT_EQ(node.leases().size(), kRoom);
    expect_full_cards();
    for (const auto& entry : fs::directory_iterator(node.root)) fs::remove_all(entry.path());
    fs::remove_all(node.state);
  }
}

// Killed at any moment: what they held is found again by those that come after.
TEST_F(ParallelPrograms, WhatKilledCreatesHeldGoesToOthers) {
  std::mt19937 random(7);
  for (int round = 0; round < repeats(); ++round) {
    SCOPED_TRACE(round);
    const std::string prefix = "r" + std::to_string(round) + "-";
    std::vector<int> pids;
    for (int i = 0; i < kCreates; ++i) pids.push_back(start(prefix + std::to_string(i)));
    std::size_t started = 0;
    for (int i = 0; i < kCreates; ++i) {
      const int pid = pids[static_cast<std::size_t>(i)];
      if (i % 5 == 0) {
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 5000));
        ::kill(pid, SIGKILL);
      }
      const bool is_started = wait_for(pid) == 0;
      started += is_started ? 1U : 0U;
      // What an engine does next.
      if (!is_started) fs::remove_all(node.root / (prefix + std::to_string(i)));
    }
    EXPECT_LE(started, kRoom);
    // Every one that is refused until now has been refused for lack of room that the killed held.
    for (int i = 0; i < kCreates && started < kRoom; ++i)
      started += wait_for(start(prefix + "late" + std::to_string(i))) == 0 ? 1U : 0U;
    EXPECT_EQ(started, kRoom);
    EXPECT_NE(wait_for(start(prefix + "one-too-many")), 0);
    expect_full_cards();
    for (const auto& entry : fs::directory_iterator(node.root)) fs::remove_all(entry.path());
  }
}

}  // namespace
}  // namespace hami::fake
