// The driver-made slices of the shipped recipes: what each has its driver told, and what a kill between the
// steps leaves. In place of the drivers a script answers, which knows what the recipes' calls look like.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "oci-config/base/text.h"
#include "runtime-shim/state/gone.h"
#include "runtime-shim/state/liveness.h"
#include "runtime-shim/subdevices.h"
#include "tests/unit/runtime-shim/leases.h"
#include "vendors/recipe_yaml.h"

namespace hami::shim {
namespace {

namespace fs = std::filesystem;
using state::Ledger;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// What the driver of one vendor does; in the scripts @ is the node's directory and $number the slice's
// number.
struct Driver {
  const char* recipe;
  const char* model;
  std::uint32_t memory_mib;  // of the slice
  const char* library;       // its place below the driver root; empty: none is asked
  const char* part;          // a slice in the file system, $number left out
  std::uint32_t first;       // the number of the first slice
  const char* created;       // the call as the driver sees it
  const char* destroyed;
};

constexpr Driver kDrivers[] = {
    {"ascend", "910B3", 16384, "usr/local/dcmi/libdcmi.so", "dev/vdavinci", 292,
     "dcmi create @/usr/local/dcmi/libdcmi.so 12 vir05_1c_16g 292",
     "dcmi destroy @/usr/local/dcmi/libdcmi.so 12 292"},
    {"cambricon", "MLU370-X8", 4096, "usr/lib64/libcndev.so", "dev/cambricon-caps/cap_dev1_mi", 1,
     "cndev create @/usr/lib64/libcndev.so 1 25 4294967296", "cndev destroy @/usr/lib64/libcndev.so 1 1"},
    {"metax", "C500", 4096, "", "sys/bus/pci/devices/0000:3b:00.0/sgpu/sgpu", 1,
     "write @/sys/bus/pci/devices/0000:3b:00.0/sgpu/create 4096",
     "write @/sys/bus/pci/devices/0000:3b:00.0/sgpu/remove 1"},
};

std::string filled(std::string text, const std::string& with) {
  for (auto at = text.find('@'); at != std::string::npos; at = text.find('@', at + with.size()))
    text.replace(at, 1, with);
  return text;
}

class VendorSubdevices : public testing::TestWithParam<Driver> {
 protected:
  void SetUp() override {
    dir_ = fs::path(testing::TempDir()) / text::cat({"hami-vendor-parts-", text::number(::getpid())});
    fs::remove_all(dir_);
    fs::create_directories((dir_ / GetParam().part).parent_path());
    if (*GetParam().library != '\0') {
      fs::create_directories((dir_ / GetParam().library).parent_path());
      std::ofstream(dir_ / GetParam().library) << "a library";
    }
    driver("", "");
  }
  void TearDown() override { fs::remove_all(dir_); }

  [[nodiscard]] std::string at(const char* text) const { return filled(text, dir_); }
  [[nodiscard]] std::string state() const { return dir_ / "state"; }

  // The driver, and what it does before and after it has made a slice.
  void driver(const std::string& before, const std::string& after) const {
    const std::string part = (dir_ / GetParam().part).string();
    const fs::path fresh = dir_ / "fresh";
    std::ofstream(fresh) << "#!/bin/sh\necho \"$*\" >>" << (dir_ / "calls").string()
                         << "\nfor last; do :; done\ncase $1:$2 in\n"
                         << "write:*/create|cndev:create)\n"
                         << before << "\n  n=1; while [ -e " << part << "$n ]; do n=$((n + 1)); done\n  : >"
                         << part << "$n\n"
                         << after << "\n  [ $1 = write ] || echo $n;;\n"
                         << "dcmi:create)\n"
                         << before << "\n  set -C; : >" << part << "$last || exit 4\n"
                         << after << "\n;;\n"
                         << "*) rm " << part << "$last;;\nesac\n";
    fs::permissions(fresh, fs::perms::owner_all);
    fs::rename(fresh, dir_ / "probe");
  }

  [[nodiscard]] vendors::SubdevicePlan plan() const {
    vendors::Inventory inventory;
    inventory.vendor = GetParam().recipe;
    inventory.roots = {{"driver", dir_}, {"dev", dir_}, {"sys", dir_ / "sys"}, {"proc", dir_ / "proc"}};
    vendors::Device device;
    device.vendor = device.uuid = GetParam().recipe;
    device.model = GetParam().model;
    device.memory = Bytes::mib(65536);
    device.fields = {{"phy", "12"}, {"slot", "1"}, {"bdf", "0000:3b:00.0"}};
    inventory.devices = {device};
    vendors::Slice slice;
    slice.memory = Bytes::mib(GetParam().memory_mib);
    slice.cores = Percent{25};
    vendors::HostRoots roots;
    roots.probe_program = dir_ / "probe";
    const auto recipes = vendors::load_recipes({HAMI_SOURCE_DIR "/vendors"}).value();
    for (const auto& recipe : recipes) {
      if (recipe.metadata.name != GetParam().recipe) continue;
      const auto plan = vendors::plan_subdevice(recipe, inventory, slice, roots);
      EXPECT_TRUE(plan) << (plan ? "" : plan.error().line());
      return plan.value_or(vendors::SubdevicePlan{});
    }
    ADD_FAILURE() << "no such recipe";
    return {};
  }

  [[nodiscard]] state::Holding holding() const {
    return {GetParam().recipe, GetParam().recipe, Bytes::mib(GetParam().memory_mib), Percent{25}};
  }
  [[nodiscard]] state::Lease begin(const std::string& key) const {
    const state::Lease lease = state::testing::living_lease(key, dir_, {holding()});
    auto ledger = Ledger::open(state());
    EXPECT_TRUE(ledger && ledger->commit(lease));
    return lease;
  }
  void end(const std::string& key) const {
    auto ledger = Ledger::open(state());
    EXPECT_TRUE(ledger && ledger->release(key));
  }
  void end_stale() const { EXPECT_TRUE(state::end_gone(state())); }
  [[nodiscard]] Result<std::uint32_t> create(const std::string& key) const {
    const auto lease = begin(key);
    HAMI_TRY(auto all, Subdevices::open(state()));
    return all.create(lease, holding(), plan());
  }

  // Numbers of the slices that are there.
  [[nodiscard]] std::vector<std::uint32_t> parts() const {
    std::vector<std::uint32_t> numbers;
    const std::string stem = fs::path(GetParam().part).filename();
    for (const auto& entry : fs::directory_iterator((dir_ / GetParam().part).parent_path())) {
      const std::string name = entry.path().filename();
      if (name.starts_with(stem))
        numbers.push_back(static_cast<std::uint32_t>(*text::parse_u64(name.substr(stem.size()))));
    }
    return numbers;
  }
  [[nodiscard]] std::vector<std::string> calls() const {
    std::vector<std::string> lines;
    std::ifstream in(dir_ / "calls");
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

  // A create that dies by SIGKILL; nothing of its lease outlives it, and the slices of others stay.
  void killed_create(const std::string& before, const std::string& after) const {
    driver(before, after);
    const pid_t child = ::fork();
    if (child == 0) {
      static_cast<void>(create("killed"));
      ::raise(SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    driver("", "");
    end_stale();
    EXPECT_THAT(reclaim_subdevices(state()), IsEmpty());
    EXPECT_THAT(parts(), UnorderedElementsAre(GetParam().first, foreign()));
  }

  // A slice that somebody made by hand.
  [[nodiscard]] static std::uint32_t foreign() { return GetParam().first + 1; }

  fs::path dir_;
};

TEST_P(VendorSubdevices, OneIsMadeOnceAndDestroyedOnceAfterItsLease) {
  const auto lease = begin("one");
  for (int i = 0; i < 2; ++i) {
    const auto number = Subdevices::open(state())->create(lease, holding(), plan());
    ASSERT_TRUE(number) << number.error().line();
    EXPECT_EQ(*number, GetParam().first);
  }
  EXPECT_THAT(reclaim_subdevices(state()), IsEmpty());
  EXPECT_THAT(parts(), ElementsAre(GetParam().first)) << "its container lives";

  end("one");
  EXPECT_THAT(reclaim_subdevices(state()), IsEmpty());
  EXPECT_THAT(reclaim_subdevices(state()), IsEmpty());
  EXPECT_THAT(parts(), IsEmpty());
  EXPECT_THAT(calls(), ElementsAre(at(GetParam().created), at(GetParam().destroyed)));
}

TEST_P(VendorSubdevices, AKillBetweenAnyTwoStepsLeavesNoneAndTakesNobodyElses) {
  ASSERT_EQ(create("neighbour").value(), GetParam().first);
  std::ofstream((dir_ / GetParam().part).string() + text::number(foreign())) << "";

  killed_create("kill -9 $PPID; exit 1", "");
  killed_create("", "kill -9 $PPID; exit 1");
  killed_create("", "");
}

INSTANTIATE_TEST_SUITE_P(Recipes, VendorSubdevices, testing::ValuesIn(kDrivers),
                         [](const auto& entry) { return std::string(entry.param.recipe); });

}  // namespace
}  // namespace hami::shim
