// A day on a node with eight cards: containers of two engines come, go, crash and leave their leases, against
// a model that knows who really lives.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

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

// A whole day; HAMI_TEST_OPERATIONS says another number of steps. Under a sanitizer the day is shorter.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kSteps = 1500;
#else
constexpr int kSteps = 10000;
#endif

int steps() {
  const char* asked = std::getenv("HAMI_TEST_OPERATIONS");
  return asked == nullptr ? kSteps : std::atoi(asked);
}
constexpr std::size_t kCards = 8;
constexpr std::uint64_t kCardMib = 16384;

class ClusterDay : public ::testing::Test {
 protected:
  ClusterDay() {
    dir_ = fs::path("/dev/shm") / text::cat({"hami-day-test-", std::to_string(::getpid())});
    fs::remove_all(dir_);
    node_.push_back({recipe(), inventory(kCards, Bytes::mib(kCardMib))});
  }
  ~ClusterDay() override { fs::remove_all(dir_); }

  fs::path root(const std::string& id) const { return dir_ / (id.back() % 2 == 0 ? "docker" : "containerd"); }
  std::string key(const std::string& id) const { return state::lease_key(root(id), id); }

  Request random_request() {
    std::map<std::string, std::string> words{{"nvidia.com/gpu", std::to_string(1 + random_() % 3)}};
    if (random_() % 8 != 0) words["nvidia.com/gpumem"] = std::to_string(500 + random_() % 8000);
    if (random_() % 2 == 0) words["nvidia.com/gpucores"] = std::to_string(random_() % 101);
    if (random_() % 4 == 0) words["hami.io/gpu-scheduler-policy"] = random_() % 2 == 0 ? "spread" : "numa";
    return **parse_request(annotated(words), {recipe()}, policy_);
  }

  state::Ledger open() { return *state::Ledger::open(dir_ / "state"); }

  // As create does it; the container is "running" when its state file names this process.
  bool create(state::Ledger& ledger, const std::string& id) {
    EXPECT_TRUE(ledger.end(state::gone_among(ledger.leases(), "", 16)));
    const Request request = random_request();
    auto got = allocate(request, node_, ledger.leases(), policy_);
    if (!got) {
      EXPECT_TRUE(ledger.end(state::gone_among(ledger.leases())));
      got = allocate(request, node_, ledger.leases(), policy_);
    }
    if (!got) {
      EXPECT_EQ(got.error().code, Errc::exhausted) << got.error().message;
      expect_no_room(request);
      return false;
    }
    state::Lease lease;
    lease.key = key(id);
    lease.container_id = id;
    lease.engine_root = root(id);
    lease.boot_id = state::boot_id();
    for (const Grant& grant : got->vendors[0].grants) lease.holdings.push_back(grant.holding);
    EXPECT_TRUE(ledger.commit(lease));
    living_[id] = lease;
    fs::create_directories(root(id) / id);
    std::ofstream(root(id) / id / "state.json")
        << "{\"init_process_pid\":" << ::getpid()
        << ",\"init_process_start\":" << state::start_time(::getpid()).value() << "}";
    return true;
  }

  // The model finds the same: with the living alone there is no room either.
  void expect_no_room(const Request& request) {
    std::vector<state::Lease> leases;
    for (const auto& [id, lease] : living_) leases.push_back(lease);
    EXPECT_FALSE(allocate(request, node_, leases, policy_));
  }

  void end(state::Ledger& ledger, const std::string& id, bool crashed) {
    fs::remove_all(root(id) / id);
    if (!crashed) {
      EXPECT_TRUE(ledger.release(key(id)));
      if (random_() % 10 == 0) {  // engines do it twice
        EXPECT_TRUE(ledger.release(key(id)));
      }
    }
    living_.erase(id);
  }

  void check(const state::Ledger& ledger, int step) {
    std::map<std::string, state::Lease> recorded;
    for (const state::Lease& lease : ledger.leases()) recorded[lease.container_id] = lease;
    for (const auto& [id, lease] : living_) {
      ASSERT_EQ(recorded.count(id), 1U) << "step " << step << ": the lease of " << id << " is lost";
      ASSERT_EQ(recorded[id], lease) << "step " << step;
    }
    struct Use {
      std::uint64_t mib = 0;
      std::uint32_t cores = 0;
      std::uint32_t containers = 0;
      bool exclusive = false;
    };
    std::map<std::string, Use> uses;
    for (const auto& [id, lease] : recorded) {
      for (const state::Holding& holding : lease.holdings) {
        Use& use = uses[holding.device];
        use.mib += holding.memory.whole_mib();
        use.cores += holding.cores.value;
        use.containers += 1;
        use.exclusive = use.exclusive || holding.exclusive;
      }
    }
    for (const auto& [device, use] : uses) {
      ASSERT_LE(use.mib, kCardMib) << "step " << step << ": " << device;
      ASSERT_LE(use.cores, 100U) << "step " << step << ": " << device;
      ASSERT_LE(use.containers, policy_.split_count) << "step " << step << ": " << device;
      ASSERT_TRUE(!use.exclusive || use.containers == 1) << "step " << step << ": " << device;
    }
  }

  std::string random_living() {
    auto it = living_.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(random_() % living_.size()));
    return it->first;
  }

  fs::path dir_;
  Policy policy_;
  std::vector<VendorNode> node_;
  std::map<std::string, state::Lease> living_;
  std::mt19937 random_{20};
};

TEST_F(ClusterDay, NeverOvercommitsNeverLosesALivingLeaseAndEndsTheDeadOnes) {
  const int count = steps();
  int created = 0;
  int refused = 0;
  for (int step = 0; step < count; ++step) {
    // Read anew from its files in every step: what the one before wrote is checked here too.
    auto ledger = open();
    const auto what = random_() % 10;
    if (what < 6 || living_.empty()) {
      (create(ledger, text::cat({"c", std::to_string(step)})) ? created : refused) += 1;
    } else {
      end(ledger, random_living(), what == 9);
    }
    check(ledger, step);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(created, count / 10);
  EXPECT_GT(refused, count / 10);
  auto ledger = open();
  ASSERT_TRUE(ledger.end(state::gone_among(ledger.leases())));
  EXPECT_EQ(ledger.leases().size(), living_.size()) << "the dead ones are ended";
}

TEST_F(ClusterDay, ARebootEndsEverythingAndAClockThatJumpsEndsNothing) {
  auto ledger = open();
  for (int i = 0; i < 20; ++i) create(ledger, text::cat({"c", std::to_string(i)}));
  for (state::Lease lease : std::vector<state::Lease>(ledger.leases())) {
    lease.created_at = lease.created_at % 2 == 0 ? 0 : 4102444800;  // 1970 and 2100
    ASSERT_TRUE(ledger.commit(lease));
  }
  ASSERT_TRUE(ledger.end(state::gone_among(ledger.leases())));
  ASSERT_EQ(ledger.leases().size(), living_.size());
  for (state::Lease lease : std::vector<state::Lease>(ledger.leases())) {
    lease.boot_id = "00000000-0000-0000-0000-000000000000";
    ASSERT_TRUE(ledger.commit(lease));
  }
  ASSERT_TRUE(ledger.end(state::gone_among(ledger.leases())));
  EXPECT_TRUE(ledger.leases().empty());
}

}  // namespace
}  // namespace hami::shim
