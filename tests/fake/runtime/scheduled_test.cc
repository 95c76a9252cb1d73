// Containers of Pods whose devices a scheduler chose: hami-runtime as a program, on a node of files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "libvgpu/abi/slice.h"
#include "runtime-shim/schedulers/checkpoint.h"
#include "runtime-shim/state/lease_json.h"
#include "tests/fake/runtime/node.h"

namespace hami::fake {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using Annotations = std::map<std::string, std::string>;
using Env = std::vector<std::string>;

constexpr const char* kA = "GPU-11111110-0000-0000-0000-000000000000";
constexpr const char* kB = "GPU-11111111-0000-0000-0000-000000000000";
constexpr const char* kAllocated = "hami.io/vgpu-devices-allocated";

std::string record(const std::string& uuid, int mib, int cores) {
  return uuid + ",NVIDIA," + std::to_string(mib) + "," + std::to_string(cores) + ":";
}

// What HAMi's device plugin answers the kubelet for one card.
Env plugin_env(const std::string& uuid, int mib, int cores) {
  return {"NVIDIA_VISIBLE_DEVICES=" + uuid, "CUDA_DEVICE_MEMORY_LIMIT_0=" + std::to_string(mib) + "m",
          "CUDA_DEVICE_SM_LIMIT=" + std::to_string(cores),
          "CUDA_DEVICE_MEMORY_SHARED_CACHE=/usr/local/vgpu/1.cache"};
}

Env after(Env first, const Env& more) {
  first.insert(first.end(), more.begin(), more.end());
  return first;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

class ScheduledCreate : public ::testing::Test {
 protected:
  fs::path pod_bundle(const std::string& container, const Env& env, Annotations annotations,
                      const std::string& type = "container") {
    annotations.insert({{"io.kubernetes.cri.container-type", type},
                        {"io.kubernetes.cri.sandbox-uid", "1111"},
                        {"io.kubernetes.cri.sandbox-id", "box"}});
    if (type == "container") annotations["io.kubernetes.cri.container-name"] = container;
    fs::create_directories(node.root / "box");  // the sandbox runs
    return node.bundle(container, annotations, env);
  }

  Outcome create(const std::string& container, const Env& env, const Annotations& annotations) {
    return node.create(pod_bundle(container, env, annotations), container);
  }

  std::string config(const std::string& container) {
    return read(node.dir / "bundles" / container / "config.json");
  }

  abi::SliceFile slice_of(const std::string& container) {
    abi::SliceFile slice{};
    for (const std::string& name : node.container_dirs()) {
      if (name.rfind(container + "-", 0) != 0) continue;
      const std::string bytes = read(node.state / "containers" / name / "slice");
      if (bytes.size() == sizeof slice) std::memcpy(&slice, bytes.data(), sizeof slice);
    }
    return slice;
  }

  std::string card_of(const std::string& container) { return slice_of(container).devices[0].uuid; }

  std::uint64_t mib_of(const std::string& container) {
    return slice_of(container).devices[0].memory_limit >> 20U;
  }

  Node node;
};

TEST_F(ScheduledCreate, TakesTheGroupThatItsVariablesShowWhereverPaddingPutIt) {
  const std::string a = record(kA, 3000, 30);
  const std::string b = record(kB, 5000, 0);
  const struct {
    const char* id;
    std::string value;
  } cases[] = {{"compact", a + ";" + b + ";"},
               {"positional", ";" + a + ";" + b + ";"},
               {"placeholder", a + ";,,0,0:;" + b + ";"},
               {"padded", a + ";;" + b + ";"},
               {"unterminated", a + ";" + b}};
  for (const auto& one : cases) {
    Node fresh;
    const Annotations annotations{{kAllocated, one.value},
                                  {"io.kubernetes.cri.container-type", "container"},
                                  {"io.kubernetes.cri.container-name", one.id}};
    const fs::path bundle = fresh.bundle(one.id, annotations, plugin_env(kB, 5000, 0));

    const Outcome outcome = fresh.create(bundle, one.id);

    ASSERT_EQ(outcome.status, 0) << one.id << ": " << outcome.err;
    EXPECT_THAT(read(bundle / "config.json"),
                AllOf(HasSubstr("/dev/fakegpu1"), Not(HasSubstr("/dev/fakegpu0"))));
  }
}

TEST_F(ScheduledCreate, GivesTheSidecarNothingAndKeepsTheVendorsRuntimeFromGivingItAll) {
  const Annotations pod{{kAllocated, record(kA, 3000, 30) + ";"}};

  ASSERT_EQ(create("plain", {"PATH=/bin"}, pod).status, 0);
  EXPECT_THAT(config("plain"), HasSubstr("\"x-unknown\": 1.50"));  // not rewritten
  ASSERT_EQ(create("cuda", {"NVIDIA_VISIBLE_DEVICES=all"}, pod).status, 0);

  EXPECT_THAT(config("cuda"), AllOf(HasSubstr("NVIDIA_VISIBLE_DEVICES=void"), Not(HasSubstr("fakegpu"))));
  EXPECT_THAT(node.leases(), IsEmpty());
}

TEST_F(ScheduledCreate, LeavesTheSandboxAlone) {
  const fs::path bundle =
      pod_bundle("box", plugin_env(kA, 3000, 0), {{kAllocated, record(kA, 3000, 0) + ";"}}, "sandbox");
  const std::string before = read(bundle / "config.json");

  ASSERT_EQ(node.create(bundle, "box").status, 0);

  EXPECT_EQ(read(bundle / "config.json"), before);
}

TEST_F(ScheduledCreate, RestoresTheLimitThatThePodOverrides) {
  const Env env = after(after({"NVIDIA_VISIBLE_DEVICES=all"}, plugin_env(kA, 3000, 30)),
                        {"CUDA_DEVICE_MEMORY_LIMIT_0=60000m", "CUDA_DEVICE_SM_LIMIT=100"});

  const Outcome outcome = create("train", env, {{kAllocated, record(kA, 3000, 30) + ";"}});

  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(mib_of("train"), 3000U);
  EXPECT_EQ(slice_of("train").devices[0].core_limit, 30U);
  EXPECT_EQ(count(config("train"), "NVIDIA_VISIBLE_DEVICES="), 1U);
  EXPECT_THAT(config("train"), HasSubstr(std::string("NVIDIA_VISIBLE_DEVICES=") + kA));
}

TEST_F(ScheduledCreate, HoldsTheAnnotationsLimitWhereTheEngineKeptOnlyTheOverride) {
  const Outcome outcome =
      create("train", plugin_env(kA, 60000, 30), {{kAllocated, record(kA, 3000, 30) + ";"}});

  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(mib_of("train"), 3000U);
}

TEST_F(ScheduledCreate, RefusesAnOverrideThatLeavesNoGroup) {
  const Outcome outcome = create("train", plugin_env(kA, 60000, 30),
                                 {{kAllocated, record(kA, 3000, 30) + ";" + record(kA, 5000, 30) + ";"}});

  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("annotation 'hami.io/vgpu-devices-allocated'"),
                                 HasSubstr("disagree"), HasSubstr("60000MiB")));
}

TEST_F(ScheduledCreate, TakesTheDevicesThatTheKubeletPreferred) {
  const Outcome outcome = create("train", plugin_env(kB, 3000, 0), {{kAllocated, record(kA, 3000, 0) + ";"}});

  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(card_of("train"), kB);
  EXPECT_EQ(mib_of("train"), 3000U);
}

TEST_F(ScheduledCreate, GivesEachOfEqualGroupsOnceAndTheSameAgainAfterARestart) {
  const Annotations pod{{kAllocated, record(kA, 3000, 0) + ";" + record(kA, 3000, 0) + ";"}};
  const Env env = plugin_env(kA, 3000, 0);
  ASSERT_EQ(create("one", env, pod).status, 0);
  ASSERT_EQ(create("two", env, pod).status, 0);

  const Outcome third = create("three", env, pod);

  EXPECT_EQ(third.status, 1);
  EXPECT_THAT(third.err, HasSubstr("belongs to another container of the Pod"));
  fs::remove_all(node.root / "one");  // it ended
  const Outcome again = create("one", env, pod);
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(node.leases(), SizeIs(2));
}

TEST_F(ScheduledCreate, ANewSandboxOfThePodStartsWithoutClaims) {
  const Annotations pod{{kAllocated, record(kA, 3000, 0) + ";"}};
  ASSERT_EQ(create("one", plugin_env(kA, 3000, 0), pod).status, 0);
  EXPECT_EQ(create("two", plugin_env(kA, 3000, 0), pod).status, 1);
  fs::remove_all(node.root / "box");

  EXPECT_EQ(node.create(node.bundle("three",
                                    {{kAllocated, record(kA, 3000, 0) + ";"},
                                     {"io.kubernetes.cri.container-type", "container"},
                                     {"io.kubernetes.cri.container-name", "three"},
                                     {"io.kubernetes.cri.sandbox-uid", "1111"},
                                     {"io.kubernetes.cri.sandbox-id", "box2"}},
                                    plugin_env(kA, 3000, 0)),
                        "three")
                .status,
            0);
}

TEST_F(ScheduledCreate, RecordsTheShareSoThatTheNodesOwnLedgerDoesNotGiveItAgain) {
  ASSERT_EQ(create("train", plugin_env(kA, 40000, 0), {{kAllocated, record(kA, 40000, 0) + ";"}}).status, 0);

  const fs::path bundle = node.bundle("docker", {{"nvidia.com/gpu", "2"}, {"nvidia.com/gpumem", "3000"}});
  const Outcome outcome = node.create(bundle, "docker");

  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("960MiB of 40960MiB"));
}

TEST_F(ScheduledCreate, ObeysASchedulerThatPutsMoreOnACardThanTheLedgerWould) {
  const Annotations pod{{kAllocated, record(kA, 30000, 0) + ";" + record(kA, 30001, 0) + ";"}};
  ASSERT_EQ(create("one", plugin_env(kA, 30000, 0), pod).status, 0);

  EXPECT_EQ(create("two", plugin_env(kA, 30001, 0), pod).status, 0);
}

TEST_F(ScheduledCreate, ABundleOfHamisDevicePluginHasOneLibraryAndOnePreload) {
  const fs::path bundle =
      pod_bundle("train", plugin_env(kA, 3000, 30), {{kAllocated, record(kA, 3000, 30) + ";"}});
  std::string text = read(bundle / "config.json");
  const std::string mounts =
      R"("mounts":[{"destination":"/usr/local/vgpu","type":"bind","source":"/usr/local/vgpu/containers/1111_train","options":["rbind","rw"]},)"
      R"({"destination":"/usr/local/vgpu/libvgpu.so","type":"bind","source":"/usr/local/vgpu/libvgpu.so.v2.6.1","options":["rbind","ro"]},)"
      R"({"destination":"/tmp/vgpulock","type":"bind","source":"/tmp/vgpulock","options":["rbind","rw"]},)"
      R"({"destination":"/etc/ld.so.preload","type":"bind","source":"/usr/local/vgpu/ld.so.preload","options":["rbind","ro"]}],)";
  text.insert(text.find("\"root\""), mounts);
  write(bundle / "config.json", text);

  const Outcome outcome = node.create(bundle, "train");

  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string got = config("train");
  EXPECT_EQ(count(got, "\"/usr/local/vgpu/libvgpu.so\""), 1U);
  EXPECT_EQ(count(got, "\"/etc/ld.so.preload\""), 1U);
  EXPECT_THAT(got, AllOf(HasSubstr("containers/1111_train"), HasSubstr("/tmp/vgpulock"),
                         Not(HasSubstr("libvgpu.so.v2.6.1")), HasSubstr("CUDA_DEVICE_MEMORY_SHARED_CACHE")));
  // The directory is mounted before what is mounted in it.
  EXPECT_LT(got.find("containers/1111_train"), got.find("\"/usr/local/vgpu/libvgpu.so\""));
}

TEST_F(ScheduledCreate, RefusesAVolumeInThePlaceOfThePreload) {
  const fs::path bundle =
      pod_bundle("train", plugin_env(kA, 3000, 30), {{kAllocated, record(kA, 3000, 30) + ";"}});
  std::string text = read(bundle / "config.json");
  text.insert(
      text.find("\"root\""),
      R"("mounts":[{"destination":"/etc/ld.so.preload","type":"bind","source":"/srv/mine","options":["bind"]}],)");
  write(bundle / "config.json", text);

  const Outcome outcome = node.create(bundle, "train");

  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("/srv/mine"));
}

TEST_F(ScheduledCreate, NamesAnAnnotationItCannotRead) {
  const Outcome outcome =
      create("train", plugin_env(kA, 3000, 30), {{kAllocated, std::string(kA) + ",NVIDIA,3000m,30:;"}});

  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("annotation 'hami.io/vgpu-devices-allocated': group 0, record 0"),
                                 HasSubstr("'3000m'")));
  node.configure("[policy]\nlenient = true\n");
  EXPECT_EQ(create("again", {"PATH=/bin"}, {{kAllocated, "GPU-a,NVIDIA:;"}}).status, 0);
}

TEST_F(ScheduledCreate, RefusesALimitThatWouldBeNone) {
  const Outcome outcome = create("train", plugin_env(kA, 0, 0), {{kAllocated, record(kA, 0, 0) + ";"}});

  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("has a memory of 0"));
}

TEST_F(ScheduledCreate, SaysWhatIsHereWhenTheSchedulerNamesAnotherDevice) {
  const Outcome outcome =
      create("train", plugin_env("GPU-c", 3000, 0), {{kAllocated, record("GPU-c", 3000, 0) + ";"}});

  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("names 'GPU-c'"), HasSubstr(kA), HasSubstr(kB)));
}

TEST_F(ScheduledCreate, NamesBothSourcesWhenResourceNamesSaySomethingElse) {
  const Outcome outcome = create("train", plugin_env(kA, 3000, 0),
                                 {{kAllocated, record(kA, 3000, 0) + ";"}, {"nvidia.com/gpumem", "4000"}});

  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("hami.io/vgpu-devices-allocated"), HasSubstr("nvidia.com/gpumem")));
}

TEST_F(ScheduledCreate, ReadsVolcanosAndKoordinatorsAnnotations) {
  const Outcome volcano =
      create("v", plugin_env(kB, 3000, 0), {{"volcano.sh/vgpu-ids-new", record(kB, 3000, 0)}});
  ASSERT_EQ(volcano.status, 0) << volcano.err;
  EXPECT_EQ(card_of("v"), kB);

  const std::string json =
      R"({\"gpu\":[{\"minor\":1,\"resources\":{\"koordinator.sh/gpu-core\":\"50\",\"koordinator.sh/gpu-memory\":\"16Gi\",\"koordinator.sh/gpu-memory-ratio\":\"40\"}}]})";
  const Outcome koordinator = create("k",
                                     {"NVIDIA_VISIBLE_DEVICES=1", "CUDA_DEVICE_MEMORY_LIMIT=17179869184",
                                      "CUDA_DEVICE_SM_LIMIT=50", "LD_PRELOAD=/usr/local/vgpu/libvgpu.so"},
                                     {{"scheduling.koordinator.sh/device-allocated", json}});
  ASSERT_EQ(koordinator.status, 0) << koordinator.err;
  EXPECT_EQ(card_of("k"), kB);
  EXPECT_EQ(mib_of("k"), 16384U);
  EXPECT_EQ(slice_of("k").devices[0].core_limit, 50U);
}

TEST_F(ScheduledCreate, ReadsKaisShareFromItsVariable) {
  const Outcome outcome =
      create("k", {std::string("NVIDIA_VISIBLE_DEVICES=") + kA, "CUDA_DEVICE_MEMORY_LIMIT=4147m"},
             {{"gpu-memory", "4096"}});

  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(mib_of("k"), 4147U);
}

TEST_F(ScheduledCreate, LimitsEachOfSeveralCardsByItsOwnRecord) {
  const Outcome outcome =
      create("train",
             {std::string("NVIDIA_VISIBLE_DEVICES=") + kB + "," + kA, "CUDA_DEVICE_MEMORY_LIMIT_0=5000m",
              "CUDA_DEVICE_MEMORY_LIMIT_1=3000m", "CUDA_DEVICE_SM_LIMIT=0"},
             {{kAllocated, record(kB, 5000, 0) + record(kA, 3000, 0) + ";"}});

  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const abi::SliceFile slice = slice_of("train");
  ASSERT_EQ(slice.device_count, 2U);
  EXPECT_STREQ(slice.devices[0].uuid, kA);
  EXPECT_EQ(slice.devices[0].memory_limit >> 20U, 3000U);
  EXPECT_EQ(slice.devices[1].memory_limit >> 20U, 5000U);
}

// The kubelet's record of what device plugins answered, and the configuration that has it read.
void keep_record(const Node& node, const std::vector<schedulers::CheckpointEntry>& entries) {
  const fs::path record = node.dir / "kubelet_internal_checkpoint";
  write(record, schedulers::encode_checkpoint(entries));
  fs::permissions(record, fs::perms::owner_read | fs::perms::owner_write);
  node.configure("[kubernetes]\ndevice_checkpoint = \"" + record.string() + "\"\n");
}

TEST_F(ScheduledCreate, TakesWhatTheKubeletRecordedWhateverItsVariablesSay) {
  keep_record(
      node, {{"1111", "train", "nvidia.com/gpu", {kB}, {{{"NVIDIA_VISIBLE_DEVICES", kB}}, {}, {}, {}, {}}}});
  const Annotations pod{{kAllocated, record(kA, 3000, 0) + ";" + record(kB, 5000, 0) + ";"}};

  const Outcome outcome = create("train", {std::string("NVIDIA_VISIBLE_DEVICES=") + kA}, pod);

  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(card_of("train"), kB);
  EXPECT_EQ(mib_of("train"), 5000U);
}

TEST_F(ScheduledCreate, ObeysADevicePluginWithoutASchedulerByTheKubeletsRecord) {
  keep_record(node,
              {{"1111", "train", "nvidia.com/gpu", {kB}, {{{"NVIDIA_VISIBLE_DEVICES", kB}}, {}, {}, {}, {}}},
               {"1111",
                "slice",
                "nvidia.com/gpu",
                {kA + std::string("::1")},
                {{{"NVIDIA_VISIBLE_DEVICES", kA}}, {}, {}, {}, {}}},
               {"1111",
                "other",
                "nvidia.com/gpu",
                {kA + std::string("::2")},
                {{{"NVIDIA_VISIBLE_DEVICES", kA}}, {}, {}, {}, {}}}});

  const Outcome outcome = create("train", {"NVIDIA_VISIBLE_DEVICES=all"}, {});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(config("train"), AllOf(HasSubstr("/dev/fakegpu1"), Not(HasSubstr("/dev/fakegpu0"))));
  EXPECT_THAT(config("train"), HasSubstr(kB));

  for (const char* name : {"slice", "other"}) {
    const Outcome shared = create(name, {std::string("NVIDIA_VISIBLE_DEVICES=") + kB}, {});
    ASSERT_EQ(shared.status, 0) << shared.err;
    EXPECT_THAT(config(name), AllOf(HasSubstr("/dev/fakegpu0"), Not(HasSubstr("/dev/fakegpu1"))));
  }
  ASSERT_EQ(create("sidecar", {std::string("NVIDIA_VISIBLE_DEVICES=") + kB}, {}).status, 0);
  EXPECT_THAT(config("sidecar"), Not(HasSubstr("/dev/fakegpu")));
}

TEST_F(ScheduledCreate, TakesAClaimThatOnlyTheKubeletRecorded) {
  schedulers::AllocateAnswer answer;
  answer.nodes = {{"/dev/fakegpu1", "/dev/fakegpu1", "rw"}};
  answer.mounts = {{"/usr/local/vgpu/claims/2222", "/usr/local/vgpu/claims/2222", false}};
  keep_record(node, {{"1111", "train", "nvidia.com/gpu", {kB}, answer}});

  const Outcome outcome = create("train", {"NVIDIA_VISIBLE_DEVICES=all"}, {{"hami.io/vgpu-node", "one"}});

  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(config("train"), AllOf(HasSubstr("/dev/fakegpu1"), Not(HasSubstr("/dev/fakegpu0"))));
}

TEST_F(ScheduledCreate, ASecondPassOverItsOwnOutputChangesNothing) {
  ASSERT_EQ(create("train", plugin_env(kA, 3000, 30), {{kAllocated, record(kA, 3000, 30) + ";"}}).status, 0);
  const std::string first = config("train");
  fs::remove_all(node.root / "train");

  ASSERT_EQ(node.create(node.dir / "bundles/train", "train").status, 0);

  EXPECT_EQ(config("train"), first);
  EXPECT_THAT(node.leases(), SizeIs(1));
}

TEST_F(ScheduledCreate, ARuntimeThatBecomesAnotherOfItsKindChangesNothing) {
  const std::string second = (node.dir / "second").string();
  write(second, std::string("#!/bin/sh\nHAMI_CONFIG_FILE=") + (node.dir / "second.toml").string() + " exec " +
                    HAMI_RUNTIME + " \"$@\"\n");
  fs::permissions(second, fs::perms::owner_all);
  fs::copy_file(node.dir / "config.toml", node.dir / "second.toml");
  node.configure("", second);
  const fs::path bundle =
      pod_bundle("train", plugin_env(kA, 3000, 30), {{kAllocated, record(kA, 3000, 30) + ";"}});

  const Outcome outcome = node.create(bundle, "train");

  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(node.leases(), SizeIs(1));
  EXPECT_EQ(count(config("train"), "\"poststop\""), 1U);
}

}  // namespace
}  // namespace hami::fake
