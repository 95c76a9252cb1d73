// hami-runtime as a program, on a node of files with a fake runc.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <random>
#include <thread>

#include "libvgpu/abi/usage.h"
#include "runtime-shim/state/lease_json.h"
#include "runtime-shim/state/ledger.h"
#include "tests/fake/runtime/node.h"

namespace hami::fake {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using Annotations = std::map<std::string, std::string>;

const Annotations kSlice{
    {"nvidia.com/gpu", "1"}, {"nvidia.com/gpumem", "3000"}, {"nvidia.com/gpucores", "30"}};

class Create : public ::testing::Test {
 protected:
  // One line on stderr and in the log, exit status 1, everything as before.
  void expect_refused(const fs::path& bundle, const std::string& why,
                      std::map<std::string, std::string> env = {}) {
    const std::string before = read(bundle / "config.json");
    fs::remove(bundle / "log.json");
    const Outcome outcome = node.create(bundle, "c1", std::move(env));

    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, HasSubstr(why));
    EXPECT_EQ(outcome.err.rfind("hami-runtime: create 'c1': ", 0), 0U) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_THAT(read(bundle / "log.json"),
                AllOf(HasSubstr(R"("level":"error")"), HasSubstr("hami-runtime: create")));
    for (const char* phrase :
         {"ermission denied", "o such file", "executable file not found", "not permitted"})
      EXPECT_THAT(outcome.err, Not(HasSubstr(phrase)));
    EXPECT_EQ(read(bundle / "config.json"), before);
    EXPECT_THAT(node.leases(), IsEmpty());
    EXPECT_THAT(node.container_dirs(), IsEmpty());
    EXPECT_FALSE(fs::exists(bundle / ".config.json.hami"));
    EXPECT_EQ(node.recorded("argv"), "");
  }

  Node node;
};

TEST_F(Create, GivesASliceAndBecomesTheLowLevelRuntime) {
  const fs::path bundle = node.bundle("b", kSlice);

  const Outcome outcome = node.create(bundle, "c1");

  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out + outcome.err, "");
  EXPECT_EQ(node.recorded("argv"), node.fake_runc + "\n--root\n" + node.root.string() + "\n--log\n" +
                                       (bundle / "log.json").string() +
                                       "\n--log-format\njson\ncreate\n--bundle\n" + bundle.string() +
                                       "\nc1\n");
  const std::string config = read(bundle / "config.json");
  EXPECT_THAT(config, AllOf(HasSubstr("/dev/fakegpu0"), HasSubstr("/usr/local/vgpu/libvgpu.so"),
                            HasSubstr("/etc/ld.so.preload"), HasSubstr("\"poststop\""),
                            HasSubstr("\"createContainer\""), HasSubstr("\"x-unknown\":1.50")));
  EXPECT_THAT(node.leases(), SizeIs(1));
}

TEST_F(Create, PreparesTheContainersDirectory) {
  const fs::path bundle = node.bundle("b", kSlice);
  write(bundle / "rootfs/etc/ld.so.preload", "/own.so\n/usr/local/vgpu/libvgpu.so");

  ASSERT_EQ(node.create(bundle, "c1").status, 0);

  ASSERT_THAT(node.container_dirs(), SizeIs(1));
  const fs::path dir = node.state / "containers" / node.container_dirs().front();
  const std::string slice_bytes = read(dir / "slice");
  abi::SliceFile slice{};
  ASSERT_EQ(slice_bytes.size(), sizeof slice);
  std::memcpy(&slice, slice_bytes.data(), sizeof slice);
  EXPECT_TRUE(abi::is_valid(slice));
  EXPECT_EQ(slice.device_count, 1U);
  EXPECT_EQ(slice.devices[0].memory_limit, 3000ULL << 20U);
  EXPECT_EQ(slice.devices[0].core_limit, 30U);
  EXPECT_EQ(fs::file_size(dir / "usage"), sizeof(abi::UsagePage));
  EXPECT_EQ(read(dir / "ld.so.preload"), "/own.so\n/usr/local/vgpu/libvgpu.so\n");
  const auto mode = [&](const char* name) {
    return static_cast<unsigned>(fs::status(dir / name).permissions());
  };
  EXPECT_EQ(mode("slice"), 0644U);
  EXPECT_EQ(mode("usage"), 0666U);
  EXPECT_EQ(mode("plan.json"), 0600U);
  EXPECT_EQ(static_cast<unsigned>(fs::status(node.state).permissions()), 0700U);
}

TEST_F(Create, WorksForRunAndRestoreToo) {
  for (const char* command : {"run", "restore"}) {
    const fs::path bundle = node.bundle(command, kSlice);
    EXPECT_EQ(node.run({"--root", node.root.string(), command, "-b", bundle.string(), command}).status, 0);
    EXPECT_THAT(read(bundle / "config.json"), HasSubstr("/dev/fakegpu0"));
  }
}

TEST_F(Create, ASecondCreateWithItsOwnOutputGivesTheSame) {
  const fs::path bundle = node.bundle("b", kSlice, {"NVIDIA_VISIBLE_DEVICES=0"});
  ASSERT_EQ(node.create(bundle, "c1").status, 0);
  const std::string first = read(bundle / "config.json");
  fs::remove_all(node.root);  // the container is gone, as after a create that failed later

  ASSERT_EQ(node.create(bundle, "c1").status, 0);

  EXPECT_EQ(read(bundle / "config.json"), first);
  EXPECT_THAT(node.leases(), SizeIs(1));
}

TEST_F(Create, OneBundleServesManyContainers) {
  const fs::path bundle = node.bundle("b", {}, {"NVIDIA_VISIBLE_DEVICES=1", "CUDA_DEVICE_MEMORY_LIMIT=1g"});

  for (const char* id : {"c1", "c2", "c3"}) ASSERT_EQ(node.create(bundle, id).status, 0) << id;

  EXPECT_THAT(node.leases(), SizeIs(3));
  EXPECT_THAT(read(bundle / "config.json"), AllOf(HasSubstr("c3-"), Not(HasSubstr("c1-"))));
}

TEST_F(Create, RefusesItsOutputWhenSomebodyChangedIt) {
  const fs::path bundle = node.bundle("b", kSlice);
  ASSERT_EQ(node.create(bundle, "c1").status, 0);
  fs::remove_all(node.root);
  std::ofstream(bundle / "config.json", std::ios::app) << " ";

  EXPECT_THAT(node.create(bundle, "c2").err, HasSubstr("changed since"));
}

TEST_F(Create, RefusesASecondContainerOfTheSameName) {
  ASSERT_EQ(node.create(node.bundle("a", kSlice), "c1").status, 0);
  const fs::path other = node.bundle("b", kSlice);

  EXPECT_THAT(node.create(other, "c1").err, HasSubstr("already holds devices"));
  EXPECT_THAT(node.leases(), SizeIs(1));
  EXPECT_THAT(node.container_dirs(), SizeIs(1));
}

TEST_F(Create, WholeDevicesNeedNoPreloadAndNoGlibc) {
  const fs::path bundle = node.bundle("b", {{"nvidia.com/gpu", "1"}});
  fs::remove_all(bundle / "rootfs");
  fs::create_directories(bundle / "rootfs");

  ASSERT_EQ(node.create(bundle, "c1").status, 0);
  EXPECT_THAT(read(bundle / "config.json"),
              AllOf(HasSubstr("/dev/fakegpu0"), Not(HasSubstr("ld.so.preload"))));
}

TEST_F(Create, TheSliceIsFreeAgainAfterTheContainerIsGone) {
  Annotations most = kSlice;
  most["nvidia.com/gpumem"] = "40000";
  ASSERT_EQ(node.create(node.bundle("a", most), "a").status, 0);
  ASSERT_EQ(node.create(node.bundle("b", most), "b").status, 0);
  const fs::path third = node.bundle("c", most);
  EXPECT_THAT(node.create(third, "c").err, HasSubstr("960MiB of 40960MiB"));

  ASSERT_EQ(node.run({"--root", node.root.string(), "delete", "a"}).status, 0);

  EXPECT_EQ(node.create(third, "c").status, 0);
  EXPECT_THAT(node.leases(), SizeIs(2));
}

// A lease of a container that has no state and whose creator is dead, in the ledger's directory.
void write_stale_lease(const fs::path& state, const std::string& id, std::uint64_t memory_mib) {
  state::Lease lease;
  lease.key = state::lease_key("/run/gone", id);
  lease.container_id = id;
  lease.engine_root = "/run/gone";
  lease.bundle = "/gone";
  lease.source = "ledger";
  lease.creator_pid = 1 << 23;
  lease.holdings = {
      {"nvidia", "GPU-11111110-0000-0000-0000-000000000000", Bytes{memory_mib << 20U}, Percent{1}, false}};
  fs::create_directories(state / "ledger");
  for (const auto& dir : {state, state / "ledger"}) fs::permissions(dir, fs::perms(0700));
  write(state / "ledger" / (lease.key + ".json"), state::to_json(lease));
  fs::permissions(state / "ledger" / (lease.key + ".json"), fs::perms(0600));
}

TEST_F(Create, EndsALeaseOfADeadContainerInPassing) {
  write_stale_lease(node.state, "gone", 100);

  ASSERT_EQ(node.create(node.bundle("a", kSlice), "a").status, 0);

  EXPECT_THAT(node.leases(), ElementsAre(HasSubstr("a-")));
}

TEST(CreateOnAFullNode, EndsEveryLeaseOfADeadContainer) {
  Node node({40960});
  for (int i = 0; i < 400; ++i) write_stale_lease(node.state, "gone" + std::to_string(i), 100);
  Annotations most = kSlice;
  most["nvidia.com/gpumem"] = "40000";

  const Outcome outcome = node.create(node.bundle("a", most), "a");

  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(node.leases(), SizeIs(1));
}

TEST_F(Create, LeavesABundleWithoutARequestAlone) {
  for (const Annotations& annotations : {Annotations{}, Annotations{{"prometheus.io/scrape", "true"}}}) {
    const fs::path bundle = node.bundle("b", annotations);
    const std::string before = read(bundle / "config.json");
    struct stat info_before {};
    ::stat((bundle / "config.json").c_str(), &info_before);

    ASSERT_EQ(node.create(bundle, "c1").status, 0);

    struct stat info_after {};
    ::stat((bundle / "config.json").c_str(), &info_after);
    EXPECT_EQ(read(bundle / "config.json"), before);
    EXPECT_EQ(info_after.st_ino, info_before.st_ino);
    EXPECT_FALSE(fs::exists(node.state));
  }
}

TEST_F(Create, LeavesEvenAnUnusualBundleWithoutARequestToTheLowLevelRuntime) {
  const fs::path bundle = node.bundle("b", {});
  write(bundle / "config.json", "{\"process\": {}, \"process\": 3");

  EXPECT_EQ(node.create(bundle, "c1").status, 0);
  fs::remove(bundle / "config.json");
  EXPECT_EQ(node.create(bundle, "c1").status, 0);
}

TEST_F(Create, RefusesMalformedDocuments) {
  const fs::path bundle = node.bundle("b", kSlice);
  const std::string good = read(bundle / "config.json");
  const auto refuses = [&](const std::string& content, const std::string& why) {
    write(bundle / "config.json", content);
    expect_refused(bundle, why);
  };
  refuses(good.substr(0, good.size() - 20), "line ");
  refuses("{\"annotations\":{\"nvidia.com/gpu\":1}}", "annotations.'nvidia.com/gpu'");
  refuses("{\"annotations\":[\"nvidia.com/gpu\"]}", "annotations is not an object");
  refuses("{\"annotations\":{\"nvidia.com/gpu\":\"1\"},\"process\":[]}", "process is not an object");
  refuses("{\"annotations\":{\"nvidia.com/gpu\":\"1\",\"nvidia.com/gpu\":\"2\"}}", "duplicate");
  refuses("{\"annotations\":{\"nvidia.com/gpu\":\"1\"}}", "process is missing");
  refuses("[\"nvidia.com/gpu\"]", "object");
  std::string deep = "{\"annotations\":{\"nvidia.com/gpu\":\"1\"},\"x\":";
  for (int i = 0; i < 1000; ++i) deep += "[";
  for (int i = 0; i < 1000; ++i) deep += "]";
  refuses(deep + "}", "nested");
  refuses("{\"annotations\":{\"nvidia.com/gpu\":\"-1\"},\"x\":\"" + std::string(10U << 20U, 'x') + "\"}",
          "'-1'");
}

TEST_F(Create, RefusesMalformedRequests) {
  for (const char* bad : {"-1", "3e3", "99999999999999999999", "3000Mi", "", " 1"}) {
    Annotations annotations = kSlice;
    annotations["nvidia.com/gpumem"] = bad;
    expect_refused(node.bundle("b", annotations), std::string("'") + bad + "'");
  }
  expect_refused(node.bundle("b", {}, {"HAMI_RESOURCES=nvidia.com/gpu"}), "name=value");
}

TEST_F(Create, RefusesWhatTheNodeDoesNotHave) {
  expect_refused(node.bundle("b", {}, {"NVIDIA_VISIBLE_DEVICES=GPU-nine"}), "names 'GPU-nine'");
  expect_refused(node.bundle("b", {{"nvidia.com/gpu", "3"}}), "asks for 3 nvidia devices");
  expect_refused(node.bundle("b", {{"nvidia.com/gpu", "1"}, {"nvidia.com/gpumem", "40961"}}), "40961MiB");
  fs::remove_all(node.dir / "sys/fakegpu");
  expect_refused(node.bundle("b", kSlice), "this node has none");
}

TEST_F(Create, RefusesWhenSomethingOfOursIsMissing) {
  fs::rename(node.dir / "lib/libvgpu.so", node.dir / "lib/gone");
  expect_refused(node.bundle("b", kSlice), "libvgpu.so' is missing on this node");
  fs::rename(node.dir / "lib/gone", node.dir / "lib/libvgpu.so");
  fs::remove(node.dir / "lib/hami-hook");
  expect_refused(node.bundle("b", kSlice), "hami-hook' is missing on this node");
}

TEST_F(Create, RefusesALibraryThatOthersCanChange) {
  ::chmod((node.dir / "lib/libvgpu.so").c_str(), 0666);

  expect_refused(node.bundle("b", kSlice), "can be changed by others");
}

TEST_F(Create, RefusesASliceInAnImageWithoutGlibc) {
  const fs::path bundle = node.bundle("b", kSlice);
  fs::remove_all(bundle / "rootfs");
  fs::create_directories(bundle / "rootfs");
  expect_refused(bundle, "no 64-bit glibc");

  node.configure("[policy]\nunenforced = \"allow\"\n");
  EXPECT_EQ(node.create(bundle, "c1").status, 0);
  EXPECT_THAT(read(bundle / "config.json"), Not(HasSubstr("ld.so.preload")));
}

TEST_F(Create, RefusesToLoseControlUnlessPolicyAllowsIt) {
  const fs::path bundle = node.bundle("b", kSlice, {"CUDA_DISABLE_CONTROL=true"});
  expect_refused(bundle, "CUDA_DISABLE_CONTROL");

  node.configure("[policy]\nunenforced = \"allow\"\n");
  EXPECT_EQ(node.create(bundle, "c1").status, 0);
}

TEST_F(Create, RefusesWithoutALowLevelRuntime) {
  node.configure("", "/nonexistent/runc");
  expect_refused(node.bundle("b", kSlice), "no low-level runtime");
}

TEST_F(Create, UndoesEverythingWhenTheLowLevelRuntimeCannotStart) {
  write(node.dir / "broken",
        "\x7f"
        "ELF");
  ::chmod((node.dir / "broken").c_str(), 0755);
  node.configure("", (node.dir / "broken").string());

  expect_refused(node.bundle("b", kSlice), "the kernel refuses it");
}

TEST_F(Create, RefusesAConfigurationItCannotRead) {
  node.configure("[policy]\nunknown = 1\n");
  expect_refused(node.bundle("b", kSlice), "'policy.unknown' is not a key");
}

TEST_F(Create, RefusesABundleOthersCanWriteOrALink) {
  const fs::path bundle = node.bundle("b", kSlice);
  ::chmod((bundle / "config.json").c_str(), 0666);
  expect_refused(bundle, "writable by group or others");
  ::chmod((bundle / "config.json").c_str(), 0644);
  fs::rename(bundle / "config.json", bundle / "real.json");
  fs::create_symlink("real.json", bundle / "config.json");
  expect_refused(bundle, "config.json");
  EXPECT_TRUE(fs::is_symlink(bundle / "config.json"));
}

// Mounts for one test, taken down with it.
class Mounted {
 public:
  Mounted(const fs::path& dir, const char* options) : dir_(dir) {
    ok_ = ::mount("tmpfs", dir.c_str(), "tmpfs", 0, options) == 0;
  }
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;
  ~Mounted() {
    if (ok_) ::umount2(dir_.c_str(), MNT_DETACH);
  }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  fs::path dir_;
  bool ok_;
};

TEST_F(Create, RefusesAReadOnlyBundle) {
  const fs::path target = node.dir / "bundles/ro";
  fs::create_directories(target);
  const Mounted mounted(target, "size=1m");
  if (!mounted.ok()) GTEST_SKIP() << "this sandbox does not let us mount";
  const fs::path bundle = node.bundle("ro", kSlice);
  write(bundle / "log.json", "");
  const std::string before = read(bundle / "config.json");
  ASSERT_EQ(::mount(nullptr, bundle.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);

  const Outcome outcome =
      node.run({"--root", node.root.string(), "create", "--bundle", bundle.string(), "c1"});

  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("the file system is read-only"));
  EXPECT_EQ(read(bundle / "config.json"), before);
  EXPECT_THAT(node.leases(), IsEmpty());
  EXPECT_THAT(node.container_dirs(), IsEmpty());
}

TEST_F(Create, RefusesOnAFullBundle) {
  const fs::path target = node.dir / "bundles/full";
  fs::create_directories(target);
  const Mounted mounted(target, "size=64k");
  if (!mounted.ok()) GTEST_SKIP() << "this sandbox does not let us mount";
  const fs::path bundle = node.bundle("full", kSlice);
  write(bundle / "log.json", "");
  std::ofstream(bundle / "filler") << std::string(65536, 'x');
  const std::string before = read(bundle / "config.json");

  const Outcome outcome = node.create(bundle, "c1");

  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("the file system is full"));
  EXPECT_EQ(read(bundle / "config.json"), before);
  EXPECT_THAT(node.leases(), IsEmpty());
  EXPECT_FALSE(fs::exists(bundle / ".config.json.hami"));
}

TEST_F(Create, RefusesOnAFullStateDirectory) {
  fs::create_directories(node.state);
  // Room for the ledger, not for a usage page; then not even for a lease.
  for (const char* options : {"size=128k,mode=0700", "size=4k,mode=0700"}) {
    const Mounted mounted(node.state, options);
    if (!mounted.ok()) GTEST_SKIP() << "this sandbox does not let us mount";
    expect_refused(node.bundle("b", kSlice), "the file system is full");
  }
}

TEST_F(Create, ManyAtOnceNeverOvercommit) {
  Annotations half = kSlice;
  half["nvidia.com/gpumem"] = "10000";
  half["nvidia.com/gpucores"] = "5";
  constexpr int kStarted = 40;
  std::vector<int> pids;
  std::vector<fs::path> bundles;
  for (int i = 0; i < kStarted; ++i) bundles.push_back(node.bundle("p" + std::to_string(i), half));
  for (int i = 0; i < kStarted; ++i) pids.push_back(node.start_create(bundles[i], "p" + std::to_string(i)));
  int created = 0;
  for (const int pid : pids) created += wait_for(pid) == 0 ? 1 : 0;

  EXPECT_EQ(created, 8) << "four of 10000 MiB fit on each of the two devices";
  EXPECT_THAT(node.leases(), SizeIs(8));
  EXPECT_THAT(node.container_dirs(), SizeIs(8));
}

// Eight devices with room for exactly a hundred slices, two hundred creates at once, some of them killed.
TEST(CreateStorm, ExactlyWhatFitsIsCreated) {
  constexpr std::uint64_t kMib = 2048;
  constexpr int kStarted = 200;
  constexpr std::size_t kRoom = 100;
  Node node({13 * kMib, 13 * kMib, 13 * kMib, 13 * kMib, 12 * kMib, 12 * kMib, 12 * kMib, 12 * kMib});
  node.configure("[policy]\nsplit_count = 100\n");
  const fs::path bundle = node.bundle("b", {{"nvidia.com/gpu", "1"}, {"nvidia.com/gpumem", "2048"}});
  std::vector<fs::path> bundles;
  for (int i = 0; i < kStarted; ++i) {
    bundles.push_back(node.dir / "bundles" / std::to_string(i));
    fs::create_directories(bundles.back());
    fs::copy(bundle, bundles.back(), fs::copy_options::recursive);
  }
  std::mt19937 random(3);
  for (const bool with_kills : {false, true}) {
    fs::remove_all(node.root);
    std::vector<int> pids;
    for (int i = 0; i < kStarted; ++i) {
      fs::copy_file(bundle / "config.json", bundles[static_cast<std::size_t>(i)] / "config.json",
                    fs::copy_options::overwrite_existing);
      pids.push_back(node.start_create(bundles[static_cast<std::size_t>(i)], "s" + std::to_string(i)));
      if (with_kills && i > 0 && random() % 5 == 0) ::kill(pids[random() % pids.size()], SIGKILL);
    }
    std::size_t created = 0;
    std::size_t killed = 0;
    for (const int pid : pids) {
      const int status = wait_for(pid);
      created += status == 0 ? 1U : 0U;
      killed += status == 128 + SIGKILL ? 1U : 0U;
    }
    if (!with_kills) {
      EXPECT_EQ(created, kRoom);
      EXPECT_EQ(node.leases().size(), kRoom);
    }
    EXPECT_LE(created, kRoom);
    // Whoever is killed may have held its place until the others were refused; none is lost for good.
    EXPECT_GE(created + killed, kRoom);
    std::map<std::string, std::uint64_t> held;
    for (const std::string& name : node.leases()) {
      const auto lease = state::parse_lease(read(node.state / "ledger" / name));
      ASSERT_TRUE(lease) << name;
      for (const auto& holding : lease->holdings) held[holding.device] += holding.memory.value;
    }
    for (const auto& [device, bytes] : held) EXPECT_LE(bytes, (13 * kMib) << 20U) << device;
  }
}

TEST_F(Create, KilledAtAnyMomentItLeavesAConsistentLedger) {
  std::mt19937 random(11);
  const fs::path bundle = node.bundle("b", kSlice);
  const std::string original = read(bundle / "config.json");
  for (int round = 0; round < 60; ++round) {
    const int pid = node.start_create(bundle, "c1");
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 6000));
    ::kill(pid, SIGKILL);
    wait_for(pid);
    fs::remove_all(node.root);
    for (const std::string& name : node.leases()) {
      ASSERT_TRUE(state::parse_lease(read(node.state / "ledger" / name))) << name;
    }
  }

  const Outcome outcome = node.create(bundle, "c2");

  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(node.leases(), SizeIs(1));
  EXPECT_THAT(node.container_dirs(), SizeIs(1));
}

}  // namespace
}  // namespace hami::fake
