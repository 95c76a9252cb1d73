// Two hundred creates at once, as processes, on eight cards that have room for exactly a hundred; and the
// same while other creates are killed at random moments.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "oci-config/base/text.h"
#include "runtime-shim/allocation.h"
#include "runtime-shim/state/gone.h"
#include "runtime-shim/state/ledger.h"
#include "runtime-shim/state/liveness.h"
#include "tests/unit/runtime-shim/fixtures.h"

namespace hami::shim {
namespace {

using namespace testing;
namespace fs = std::filesystem;

constexpr std::uint64_t kPartMib = 1000;

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe(ends.data()), 0); }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  void close_end(std::size_t end) {
    if (ends[end] >= 0) ::close(ends[end]);
    ends[end] = -1;
  }
  std::array<int, 2> ends{-1, -1};
};

class ParallelCreate : public ::testing::Test {
 protected:
  ParallelCreate() {
    dir_ = fs::path("/dev/shm") / text::cat({"hami-parallel-test-", std::to_string(::getpid())});
    fs::remove_all(dir_);
    policy_.split_count = 100;
    request_ = **parse_request(annotated({{"nvidia.com/gpu", "1"}, {"nvidia.com/gpumem", "1000"}}),
                               {recipe()}, policy_);
  }
  ~ParallelCreate() override {
    for (const pid_t pid : children_) ::kill(pid, SIGKILL);
    for (const pid_t pid : children_) ::waitpid(pid, nullptr, 0);
    fs::remove_all(dir_);
  }

  // Eight cards with room for four times as many.
  void make_cards(std::uint64_t even, std::uint64_t odd) {
    VendorNode node{recipe(), inventory(8)};
    for (std::size_t i = 0; i < 8; ++i)
      node.inventory.devices[i].memory = Bytes::mib(kPartMib * (i % 2 == 0 ? even : odd));
    node_ = {std::move(node)};
  }

  // What a create does at the ledger. The message of a refusal; empty: this process holds a part.
  std::string create(const std::string& id) const {
    std::vector<state::DeviceName> devices;
    for (const vendors::Device& device : node_.front().inventory.devices)
      devices.push_back({"nvidia", device.uuid});
    state::Lease lease;
    lease.engine_root = dir_ / "engine";
    lease.container_id = id;
    lease.key = state::lease_key(lease.engine_root, id);
    const state::Scope scope{dir_ / "state", devices, lease.key, 60'000};
    const auto done = state::in_turn(scope, [&](state::Ledger& ledger) -> Result<> {
      HAMI_TRY(const auto got, allocate(request_, node_, ledger.leases(), policy_));
      lease.boot_id = state::boot_id();
      lease.creator_pid = ::getpid();
      lease.creator_start = state::start_time(::getpid()).value_or(0);
      lease.holdings = {got.vendors.front().grants.front().holding};
      return ledger.commit(lease);
    });
    return done ? "" : done.error().line();
  }

  // Waits until `go` ends; then tries until it holds a part or is refused after `last` has ended; tells
  // which, and lives on.
  [[noreturn]] void creator(int number, const Pipe& go, const Pipe& last, const Pipe& answers) const {
    char byte = 0;
    (void)!::read(go.ends[0], &byte, 1);
    std::string refusal;
    while (true) {
      pollfd ended{last.ends[0], POLLIN, 0};
      const bool is_last = ::poll(&ended, 1, 0) == 1;
      refusal = create(text::cat({"c", std::to_string(number)}));
      if (refusal.empty() || is_last) break;
    }
    byte = refusal.empty()                                                   ? 's'
           : refusal.find("but this node has device 0") != std::string::npos ? 'r'
                                                                             : '?';
    if (byte == '?') (void)!::write(STDERR_FILENO, refusal.data(), refusal.size());
    (void)!::write(answers.ends[1], &byte, 1);
    while (true) ::pause();
  }

  [[noreturn]] void victim(int number, const Pipe& go) const {
    char byte = 0;
    (void)!::read(go.ends[0], &byte, 1);
    while (true) (void)create(text::cat({"v", std::to_string(number)}));
  }

  template <typename Body>
  pid_t child(Body body) {
    const pid_t pid = ::fork();
    if (pid == 0) body();
    if (pid > 0) children_.push_back(pid);
    return pid;
  }

  void expect_exactly(int room, int creates, int victims) {
    Pipe go;
    Pipe last;
    Pipe answers;
    const auto start = [&](auto body) {
      return child([&, body] {
        go.close_end(1);
        last.close_end(1);
        body();
      });
    };
    for (int i = 0; i < creates; ++i) start([&, i] { creator(i, go, last, answers); });
    std::vector<pid_t> killed;
    for (int i = 0; i < victims; ++i) killed.push_back(start([&, i] { victim(i, go); }));
    answers.close_end(1);
    go.close_end(1);
    std::mt19937 random(11);
    for (const pid_t pid : killed) {
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
    std::erase_if(children_,
                  [&](pid_t pid) { return std::find(killed.begin(), killed.end(), pid) != killed.end(); });
    last.close_end(1);
    int started = 0;
    int refused = 0;
    for (int i = 0; i < creates; ++i) {
      char byte = 0;
      ASSERT_EQ(::read(answers.ends[0], &byte, 1), 1) << "a creator died";
      started += byte == 's' ? 1 : 0;
      refused += byte == 'r' ? 1 : 0;
    }
    EXPECT_EQ(started, room);
    EXPECT_EQ(refused, creates - room);
    expect_full_cards();
  }

  void expect_full_cards() const {
    ASSERT_TRUE(state::end_gone(dir_ / "state"));
    auto ledger = state::Ledger::open(dir_ / "state");
    ASSERT_TRUE(ledger) << ledger.error().line();
    EXPECT_THAT(ledger->findings(), ::testing::IsEmpty());
    std::map<std::string, std::uint64_t> held;
    for (const state::Lease& lease : ledger->leases()) held[lease.holdings.front().device] += kPartMib;
    for (const vendors::Device& device : node_.front().inventory.devices)
      EXPECT_EQ(held[device.uuid], device.memory.whole_mib()) << device.uuid;
  }

  fs::path dir_;
  std::vector<VendorNode> node_;
  Policy policy_;
  Request request_;
  std::vector<pid_t> children_;
};

TEST_F(ParallelCreate, OfTwoHundredExactlyTheHundredStartThatHaveRoom) {
  make_cards(13, 12);
  expect_exactly(100, 200, 0);
}

TEST_F(ParallelCreate, WhatKilledCreatesHeldGoesToOthers) {
  make_cards(4, 3);
  expect_exactly(28, 60, 20);
}

}  // namespace
}  // namespace hami::shim
