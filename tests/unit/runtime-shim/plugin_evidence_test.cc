// What device plugins leave besides variables: nodes, MIG instances, the kubelet's record; and schedulers
// that disagree, or whose annotations cannot be read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "runtime-shim/pod/plugin_answers.h"
#include "runtime-shim/pod/scheduled.h"
#include "runtime-shim/schedulers/checkpoint.h"
#include "tests/unit/runtime-shim/fixtures.h"

namespace hami::shim {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kHami = "hami.io/vgpu-devices-allocated";

vendors::Recipe recipe_with_nodes() {
  vendors::Recipe out = recipe();
  out.metadata.vendor = "nvidia.com";
  vendors::Block& block = out.inject.emplace_back();
  block.id = "gpu";
  block.for_each = vendors::ForEach::device;
  block.device_nodes.emplace_back().path = "/dev/nvidia${dev.minor}";
  return out;
}

// Cards GPU-0 … with the minor numbers 10, 11 …, and two partitions of GPU-0.
vendors::Inventory cards() {
  vendors::Inventory out = inventory(4);
  for (vendors::Device& device : out.devices) device.fields["minor"] = text::number(10 + device.index);
  for (const char* name : {"MIG-a", "MIG-b"}) {
    vendors::Device part = out.devices[0];
    part.uuid = name;
    part.parent = "GPU-0";
    part.index = static_cast<std::uint32_t>(out.devices.size());
    part.memory = Bytes::mib(10240);
    part.fields.clear();
    out.devices.push_back(std::move(part));
  }
  return out;
}

// The kubelet's record of an answer.
schedulers::CheckpointEntry entry(schedulers::AllocateAnswer answer, std::string id = "GPU-0-1") {
  return {"uid", "train", "nvidia.com/gpu", {std::move(id)}, std::move(answer)};
}

class PluginEvidence : public ::testing::Test {
 protected:
  std::vector<std::string> decide(const oci::ContainerView& view) {
    return given_by(parse_request(view, {node_.recipe}, policy_, &warnings_), node_);
  }

  static oci::ContainerView pod(std::map<std::string, std::string> annotations,
                                std::vector<std::pair<std::string, std::string>> env = {}) {
    oci::ContainerView view = with_env(std::move(env));
    view.annotations = std::move(annotations);
    return in_pod(std::move(view), "train");
  }

  Policy policy_;
  VendorNode node_{recipe_with_nodes(), cards()};
  std::vector<std::string> warnings_;
};

TEST_F(PluginEvidence, NodesNameTheDevicesWhereNothingElseDoes) {
  auto view = pod({{kHami, "GPU-0,NVIDIA,3000,0:;GPU-1,NVIDIA,3000,0:;"}});
  view.device_paths = {"/dev/nvidiactl", "/dev/nvidia11", "/dev/nvidia-uvm"};
  EXPECT_THAT(decide(view), ElementsAre("GPU-1 3000 0"));

  view.device_paths = {"/dev/nvidiactl", "/dev/null", "/dev/nvidia-caps/nvidia-cap1"};
  EXPECT_THAT(decide(view), IsEmpty()) << "no node of a card";
  view.device_paths = {"/dev/nvidia11"};
  view.privileged = true;
  EXPECT_THAT(decide(view), IsEmpty()) << "a privileged container has every node";
}

TEST_F(PluginEvidence, AClaimOnAnInstanceIsKnownByItsNodes) {
  node_.recipe.inject[0].device_nodes.emplace_back().path = "/dev/nvidia-caps/nvidia-cap${dev.gi_cap}";
  node_.recipe.inject[0].device_nodes.emplace_back().path = "/dev/nvidia-caps/nvidia-cap${dev.ci_cap}";
  auto& devices = node_.inventory.devices;
  devices[4].fields = {{"minor", "10"}, {"gi_cap", "21"}, {"ci_cap", "22"}};
  devices[5].fields = {{"minor", "10"}, {"gi_cap", "30"}, {"ci_cap", "31"}};
  devices.erase(devices.begin());  // it gave way to its instances

  auto view = pod({{"cdi.k8s.io/gpu.nvidia.com_6f1c", "k8s.gpu.nvidia.com/claim=6f1c-22-gpu-0-mig-19-4-1"}});
  view.device_paths = {"/dev/nvidiactl", "/dev/nvidia10", "/dev/nvidia-caps/nvidia-cap30",
                       "/dev/nvidia-caps/nvidia-cap31"};
  EXPECT_THAT(decide(view), ElementsAre("MIG-b all 0"));
  view.device_paths = {"/dev/nvidia10", "/dev/nvidia-caps/nvidia-cap21", "/dev/nvidia-caps/nvidia-cap22",
                       "/dev/nvidia-caps/nvidia-cap30", "/dev/nvidia-caps/nvidia-cap31"};
  EXPECT_THAT(decide(view), ElementsAre("MIG-a all 0", "MIG-b all 0"));
  view.device_paths = {"/dev/nvidia10", "/dev/nvidia-caps/nvidia-cap21"};
  EXPECT_THAT(decide(view), ElementsAre(HasSubstr("names no device"))) << "half an instance";
}

TEST_F(PluginEvidence, InstancesOfTheRecordedCardAreGivenWhole) {
  const std::string one = "GPU-0,NVIDIA,10240,0:;";
  EXPECT_THAT(decide(pod({{kHami, one}}, {{"NVIDIA_VISIBLE_DEVICES", "MIG-b"}})),
              ElementsAre("MIG-b all 100"));
  EXPECT_THAT(decide(pod({{kHami, "GPU-0[1-0],NVIDIA,10240,0:;"}}, {{"NVIDIA_VISIBLE_DEVICES", "MIG-a"}})),
              ElementsAre("MIG-a all 100"));
  EXPECT_THAT(decide(pod({{kHami, "GPU-0,NVIDIA,10240,0:GPU-0,NVIDIA,10240,0:;"}},
                         {{"NVIDIA_VISIBLE_DEVICES", "MIG-b,MIG-a"}})),
              ElementsAre("MIG-b all 100", "MIG-a all 100"));
}

TEST_F(PluginEvidence, VolcanosSharedCardsAreItsIndexes) {
  const std::map<std::string, std::string> one{{"volcano.sh/gpu-index", "1"}};
  EXPECT_THAT(decide(pod(one, {{"NVIDIA_VISIBLE_DEVICES", "1"},
                               {"VOLCANO_GPU_MEMORY_TOTAL", "40960"},
                               {"VOLCANO_GPU_ALLOCATED", "1024"}})),
              ElementsAre("1 1024 0"));
  EXPECT_THAT(decide(pod(one, {{"NVIDIA_VISIBLE_DEVICES", "1"},
                               {"VOLCANO_GPU_MEMORY_TOTAL", "40960"},
                               {"VOLCANO_GPU_ALLOCATED", "1024"},
                               {"VOLCANO_GPU_ALLOCATED", "40960"}})),
              ElementsAre("1 1024 0"))
      << "the container's own value comes second";
  EXPECT_THAT(decide(pod({{"volcano.sh/gpu-index", "0,2"}},
                         {{"NVIDIA_VISIBLE_DEVICES", "0,2"}, {"VOLCANO_GPU_ALLOCATED", "2"}})),
              ElementsAre("0 all 0", "2 all 0"))
      << "a number of cards";
  EXPECT_THAT(decide(pod(one)), IsEmpty()) << "a sidecar";
  policy_.volcano_memory_factor = 10;
  EXPECT_THAT(decide(pod(one, {{"NVIDIA_VISIBLE_DEVICES", "1"},
                               {"VOLCANO_GPU_MEMORY_TOTAL", "4096"},
                               {"VOLCANO_GPU_ALLOCATED", "102"}})),
              ElementsAre("1 1020 0"));
  EXPECT_THAT(decide(pod({{"volcano.sh/gpu-index", "1,,x"}}, {{"NVIDIA_VISIBLE_DEVICES", "1"}})),
              ElementsAre(::testing::AllOf(HasSubstr("'volcano.sh/gpu-index'"), HasSubstr("part 1"))));
}

TEST_F(PluginEvidence, GpuManagersCardsAreItsMinors) {
  const std::map<std::string, std::string> annotations{{"tencent.com/vcuda-core", "30"},
                                                       {"tencent.com/vcuda-memory", "20"},
                                                       {"tencent.com/predicate-gpu-idx-0", "0"},
                                                       {"tencent.com/predicate-gpu-idx-2", "3"}};
  EXPECT_THAT(decide(pod(annotations, {{"NVIDIA_VISIBLE_DEVICES", "3"}})), ElementsAre("3 5120 30"));
  EXPECT_THAT(decide(pod(annotations)), IsEmpty()) << "a sidecar";

  std::map<std::string, std::string> bare = annotations;
  bare.erase("tencent.com/vcuda-memory");
  EXPECT_THAT(decide(pod(bare, {{"NVIDIA_VISIBLE_DEVICES", "3"}})), ElementsAre(HasSubstr("a memory of 0")));
}

TEST_F(PluginEvidence, TheKubeletsRecordCountsForMoreThanThePodsVariables) {
  const auto view = pod({{kHami, "GPU-0,NVIDIA,3000,0:;GPU-1,NVIDIA,9000,0:;"}},
                        {{"NVIDIA_VISIBLE_DEVICES", "GPU-1"}, {"CUDA_DEVICE_MEMORY_LIMIT_0", "9000m"}});
  schedulers::AllocateAnswer answer;
  answer.env = {{"NVIDIA_VISIBLE_DEVICES", "GPU-0"}, {"CUDA_DEVICE_MEMORY_LIMIT_0", "3000m"}};

  EXPECT_THAT(decide(view), ElementsAre("GPU-1 9000 0"));
  EXPECT_THAT(decide(with_answers(view, {entry(answer)})), ElementsAre("GPU-0 3000 0"));
}

TEST_F(PluginEvidence, TheKubeletsRecordMayNameDevicesByNodesOrCdi) {
  const auto view = pod({{kHami, "GPU-0,NVIDIA,3000,0:;GPU-1,NVIDIA,9000,0:;"}});
  schedulers::AllocateAnswer nodes;
  nodes.nodes = {{"/dev/nvidia11", "/dev/nvidia11", "rw"}};
  schedulers::AllocateAnswer cdi;
  cdi.cdi_devices = {"k8s.device-plugin.nvidia.com/gpu=GPU-0"};

  EXPECT_THAT(decide(with_answers(view, {entry(nodes)})), ElementsAre("GPU-1 9000 0"));
  EXPECT_THAT(decide(with_answers(view, {entry(cdi)})), ElementsAre("GPU-0 3000 0"));
}

TEST_F(PluginEvidence, WithoutASchedulerTheKubeletsRecordDecides) {
  const auto given = [&](const oci::ContainerView& view, const schedulers::CheckpointEntry& recorded) {
    const auto answered = with_answers(view, {recorded});
    auto decisions = read_decisions(answered, policy_);
    add_plugins_decisions({recorded}, {node_.recipe}, *decisions);
    return given_by(parse_request(answered, {node_.recipe}, policy_, std::move(decisions)), node_);
  };
  schedulers::AllocateAnswer card;
  card.env = {{"NVIDIA_VISIBLE_DEVICES", "GPU-1"}};
  const auto forged = pod({}, {{"NVIDIA_VISIBLE_DEVICES", "GPU-0"}});
  EXPECT_THAT(given(forged, entry(card, "GPU-1")), ElementsAre("GPU-1 all 100"));
  EXPECT_THAT(given(forged, entry(card, "GPU-1::3")), ElementsAre("GPU-1 all 0")) << "a time slice";
  EXPECT_THAT(given(forged, entry({}, "rdma0")), IsEmpty()) << "of another plugin";

  schedulers::AllocateAnswer part = card;
  part.env["CUDA_DEVICE_MEMORY_LIMIT_0"] = "3000m";
  part.env["CUDA_DEVICE_SM_LIMIT"] = "30";
  EXPECT_THAT(given(forged, entry(part, "GPU-1-4")), ElementsAre("GPU-1 3000 30"));

  schedulers::AllocateAnswer marked;
  marked.mounts = {{"/var/run/nvidia-container-devices/GPU-2", "/dev/null", true}};
  EXPECT_THAT(given(pod({}), entry(marked, "GPU-2")), ElementsAre("GPU-2 all 100"));

  EXPECT_THAT(given(pod({{kHami, "GPU-1,NVIDIA,3000,0:;"}}, {}), entry(part)), ElementsAre("GPU-1 3000 0"));
  EXPECT_THAT(given(pod({{"nvidia.com/gpu", "1"}, {"nvidia.com/gpumem", "500"}}, {}), entry(card)),
              ElementsAre("not scheduled"))
      << "what the Pod asks for itself the ledger places";
}

TEST_F(PluginEvidence, TheCheckpointIsReadFromAFileOfRoots) {
  const std::string path = text::cat({::testing::TempDir(), "/checkpoint-", std::to_string(::getpid())});
  schedulers::AllocateAnswer answer;
  answer.env = {{"A", "b"}};
  std::ofstream(path) << schedulers::encode_checkpoint({entry(answer)});
  ::chmod(path.c_str(), 0600);
  EXPECT_THAT(read_answers(path, "uid", "train").value(), ElementsAre(entry(answer)));
  EXPECT_THAT(read_answers(path, "uid", "other").value(), IsEmpty());
  ::chmod(path.c_str(), 0666);
  EXPECT_FALSE(read_answers(path, "uid", "train")) << "others can write it";
  std::filesystem::remove(path);
  EXPECT_THAT(read_answers(path, "uid", "train").value(), IsEmpty());
}

TEST_F(PluginEvidence, TwoSchedulersThatDisagreeAreBothNamed) {
  const auto got =
      decide(pod({{kHami, "GPU-0,NVIDIA,3000,0:;"}, {"volcano.sh/vgpu-ids-new", "GPU-1,NVIDIA,3000,0:"}},
                 {{"NVIDIA_VISIBLE_DEVICES", "GPU-0"}}));
  EXPECT_THAT(got, ElementsAre(::testing::AllOf(HasSubstr(kHami), HasSubstr("volcano.sh/vgpu-ids-new"))));
  EXPECT_THAT(
      decide(pod({{kHami, "GPU-0,NVIDIA,3000,0:;"}, {"volcano.sh/vgpu-ids-new", "GPU-0,NVIDIA,3000,0:"}},
                 {{"NVIDIA_VISIBLE_DEVICES", "GPU-0"}})),
      ElementsAre("GPU-0 3000 0"));
}

TEST_F(PluginEvidence, LenientPolicyOverlooksOneAnnotationAndSaysSo) {
  const auto view =
      pod({{kHami, "GPU-0,NVIDIA,3000m,0:;"}, {"volcano.sh/vgpu-ids-new", "GPU-1,NVIDIA,3000,0:"}},
          {{"NVIDIA_VISIBLE_DEVICES", "GPU-1"}});
  EXPECT_THAT(decide(view), ElementsAre(::testing::AllOf(HasSubstr(kHami), HasSubstr("'3000m'"))));
  EXPECT_THAT(warnings_, IsEmpty());

  policy_.lenient = true;
  EXPECT_THAT(decide(view), ElementsAre("GPU-1 3000 0"));
  EXPECT_THAT(warnings_, ElementsAre(::testing::AllOf(HasSubstr(kHami), HasSubstr("taken as absent"))));
}

TEST_F(PluginEvidence, OneSchedulersListsForSeveralChipsAreNoDisagreement) {
  node_.recipe.metadata.name = "iluvatar";
  node_.inventory.vendor = "iluvatar";
  const std::map<std::string, std::string> lists{
      {"hami.io/BI-V150-devices-allocated", "GPU-0,BI-V150,3000,0:;"},
      {"hami.io/MR-V100-devices-allocated", "GPU-1,MR-V100,9000,0:;"}};
  EXPECT_THAT(decide(pod(lists, {{"NVIDIA_VISIBLE_DEVICES", "GPU-1"}})), ElementsAre("GPU-1 9000 0"));
  EXPECT_THAT(decide(pod(lists, {{"NVIDIA_VISIBLE_DEVICES", "GPU-0"}})), ElementsAre("GPU-0 3000 0"));
}

TEST_F(PluginEvidence, WithoutASchedulerAPluginsNamesCountWherePolicySaysSo) {
  policy_.env_requests = EnvRequests::device_plugins;
  EXPECT_THAT(decide(pod({}, {{"NVIDIA_VISIBLE_DEVICES", "GPU-11111110-0000-0000-0000-000000000000"}})),
              ElementsAre("not scheduled"));
  for (const char* value : {"all", "0", "0,1", "void", "1-3"})
    EXPECT_THAT(decide(pod({}, {{"NVIDIA_VISIBLE_DEVICES", value}})), IsEmpty()) << value;
  policy_.env_requests = EnvRequests::outside_kubernetes;
  EXPECT_THAT(decide(pod({}, {{"NVIDIA_VISIBLE_DEVICES", "GPU-11111110-0000-0000-0000-000000000000"}})),
              IsEmpty());
}

}  // namespace
}  // namespace hami::shim
