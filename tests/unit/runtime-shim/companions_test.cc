// What stands beside a scheduler's list: annotations of the vendors' plugins, lists that plugins work
// through, and what drivers of resource claims leave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime-shim/pod/decision.h"
#include "runtime-shim/pod/scheduled.h"
#include "tests/unit/runtime-shim/fixtures.h"

namespace hami::shim {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Annotations = std::map<std::string, std::string>;
using Env = std::vector<std::pair<std::string, std::string>>;

constexpr const char* kAscendList = "hami.io/Ascend310P-devices-allocated";
constexpr const char* kAscend = "huawei.com/Ascend310P";
constexpr const char* kHami = "hami.io/vgpu-devices-allocated";
constexpr const char* kLeft = "hami.io/vgpu-devices-to-allocate";
constexpr const char* kKoordinator = "scheduling.koordinator.sh/device-allocated";

std::vector<std::string> decisions(const Annotations& annotations, const Policy& policy = {},
                                   std::vector<std::string>* warnings = nullptr) {
  const auto got = read_decisions(in_pod(annotated(annotations), "train"), policy, warnings);
  if (!got) return {got.error().line()};
  std::vector<std::string> out;
  for (const PodDecision& decision : *got) {
    std::string text = text::cat({decision.vendor, " ", decision.key});
    for (const auto& group : decision.groups) {
      text += " [";
      for (const auto& record : group) {
        text += text::cat(
            {record.uuid, ",", std::to_string(record.memory), ",", std::to_string(record.cores), ":"});
      }
      text += "]";
    }
    out.push_back(std::move(text));
  }
  return out;
}

TEST(Companions, ThatNameOtherDevicesThanTheListAreRefusedWithBothKeys) {
  const auto both = [](const char* one, const char* other) {
    return ElementsAre(AllOf(HasSubstr(one), HasSubstr(other), HasSubstr("disagree about the devices")));
  };
  const auto ascend = [](const char* shares) {
    return Annotations{{kAscendList, "A-1,Ascend310P,6144,0:;A-2,Ascend310P,6144,0:;"}, {kAscend, shares}};
  };
  EXPECT_THAT(decisions(ascend(R"([{"UUID":"A-1"},{"UUID":"A-3"}])")), both(kAscendList, kAscend));
  EXPECT_THAT(decisions(ascend(R"([{"UUID":"A-1"},{"UUID":"GPU-a"},{"UUID":"A-2"}])")),
              ElementsAre(HasSubstr("[A-1,6144,0:] [A-2,6144,0:]")))
      << "an old scheduler's list has the other vendor's devices too";
  EXPECT_THAT(decisions(ascend("null")), ElementsAre(HasSubstr("[A-1,6144,0:] [A-2,6144,0:]")));
  EXPECT_THAT(
      decisions(
          {{kHami, "GPU-a[1-0],NVIDIA,10240,0:;"},
           {"hami.io/vgpu-mig-allocations",
            R"([{"containerIndex":0,"deviceIndex":0,"gpuUUID":"GPU-b","profile":"1g.10gb","placement":{"start":0,"size":1}}])"}}),
      both(kHami, "hami.io/vgpu-mig-allocations"));
  EXPECT_THAT(decisions({{"hami.io/amd-devices-allocated", "u-1,AMD Instinct MI210,1,1:;"},
                         {"hami.io/amd-cu-allocated", R"({"u-2":"0-3"})"}}),
              both("hami.io/amd-devices-allocated", "hami.io/amd-cu-allocated"));
  EXPECT_THAT(decisions({{"hami.io/cambricon-mlu-devices-allocated", "n1-cambricon-mlu-13,MLU,4096,50:;"},
                         {"CAMBRICON_DSMLU_PROFILE", "3_50_16"}}),
              both("hami.io/cambricon-mlu-devices-allocated", "CAMBRICON_DSMLU_PROFILE"));
  EXPECT_THAT(
      decisions({{"hami.io/kunlun-allocated", "n-kunlun-0,kunlun,98304,100:n-kunlun-1,kunlun,98304,100:;"},
                 {"BAIDU_COM_DEVICE_IDX", "1,2"}}),
      both("hami.io/kunlun-allocated", "BAIDU_COM_DEVICE_IDX"));
  EXPECT_THAT(decisions({{"hami.io/metax-sgpu-devices-allocated", "M-1,Metax-SGPU,1,1:;"},
                         {"metax-tech.com/gpu-devices-allocated", R"([[{"uuid":"M-2"}]])"}}),
              both("hami.io/metax-sgpu-devices-allocated", "metax-tech.com/gpu-devices-allocated"));
  EXPECT_THAT(
      decisions({{kKoordinator, R"({"gpu":[{"minor":1}]})"}, {"scheduling.koordinator.sh/gpu-minors", "2"}}),
      both(kKoordinator, "scheduling.koordinator.sh/gpu-minors"));
}

TEST(Companions, ThatAgreeChangeNothing) {
  EXPECT_THAT(decisions({{"hami.io/cambricon-mlu-devices-allocated", "n1-cambricon-mlu-3,MLU,4096,50:;"},
                         {"CAMBRICON_DSMLU_PROFILE", "3_50_16"},
                         {"CAMBRICON_DSMLU_PROFILE_INSTANCE", "1_257_0_2"}}),
              ElementsAre(HasSubstr("[n1-cambricon-mlu-3,4096,50:]")));
  EXPECT_THAT(decisions({{"hami.io/mthreads-vgpu-devices-allocated", "n-mthreads-0,Mthreads,16384,8:;"},
                         {"mthreads.com/gpu-index", "0"}}),
              ElementsAre(HasSubstr("n-mthreads-0")));
  EXPECT_THAT(decisions({{kKoordinator, R"({"gpu":[{"minor":1,"id":"GPU-a"}]})"},
                         {"scheduling.koordinator.sh/gpu-minors", "2"}}),
              ElementsAre(HasSubstr("GPU-a")))
      << "uuids and numbers cannot be compared";
  EXPECT_THAT(decisions({{kAscend, "1"}, {"huawei.com/Ascend310P-memory", "4096"}}), IsEmpty())
      << "what a Pod asks for";
}

TEST(Companions, MalformedOnesAreNamedWithKeyPlaceAndText) {
  const struct {
    const char* key;
    const char* value;
    const char* place;
  } rows[] = {{kAscend, R"([{"UUID":"A-1"},{"temp":"vir02"}])", "entry 1"},
              {kAscend, "Ascend310P-0,Ascend310P-x", "part 1: 'x'"},
              {"huawei.com/npu-core", "0,y", "part 1: 'y'"},
              {"hami.io/vgpu-mig-allocations", "[{}]", "entry 0"},
              {"hami.io/amd-cu-allocated", R"({"u":"3-1"})", "'3-1'"},
              {"metax-tech.com/gpu-devices-allocated", "[[],[{}]]", "container 1: entry 0"},
              {"CAMBRICON_DSMLU_PROFILE", "3_a_16", "part 1: 'a'"},
              {"CAMBRICON_DSMLU_PROFILE_INSTANCE", "3", "1 parts instead of 4 in '3'"},
              {"mthreads.com/gpu-index", "0,,1", "part 1: ''"},
              {"BAIDU_COM_DEVICE_IDX", "z", "part 0: 'z'"},
              {"AWS_NEURON_IDS", "1;2", "part 0: '1;2'"},
              {"assigned-containers", R"({"a":[]})", "container 'a'"},
              {"enflame.com/gcu-assigned-minor", "-1", "part 0: '-1'"},
              {"scheduling.koordinator.sh/gpu-minors", "0-1", "part 0: '0-1'"}};
  for (const auto& row : rows) {
    EXPECT_THAT(decisions({{row.key, row.value}}),
                ElementsAre(AllOf(HasSubstr(row.key), HasSubstr(row.place))));
    Policy lenient;
    lenient.lenient = true;
    std::vector<std::string> warnings;
    EXPECT_THAT(decisions({{row.key, row.value}}, lenient, &warnings), IsEmpty()) << row.key;
    EXPECT_THAT(warnings, ElementsAre(AllOf(HasSubstr(row.key), HasSubstr("taken as absent"))));
  }
}

TEST(Companions, CountWhereThereIsNoList) {
  EXPECT_THAT(decisions({{"metax-tech.com/gpu-devices-allocated",
                          R"([[],[{"uuid":"M-1","compute":50,"vRam":16384}]])"}}),
              ElementsAre("metax metax-tech.com/gpu-devices-allocated [] [M-1,16384,50:]"));
  EXPECT_THAT(
      decisions({{kAscend, R"([{"UUID":"A-1","temp":"vir02","memory":6144,"core":2},{"UUID":"A-2"}])"}}),
      ElementsAre(HasSubstr("[A-1,6144,0:] [A-2,2147483647,0:]")));
  EXPECT_THAT(decisions({{"CAMBRICON_DSMLU_PROFILE", "3_50_16"}}), ElementsAre(HasSubstr("[3,4096,50:]")));
}

TEST(Companions, TellWhoseDevicesKoordinatorsListHas) {
  const std::string list =
      R"({"gpu":[{"minor":3,"resources":{"koordinator.sh/gpu-memory":"6Gi","koordinator.sh/gpu-memory-ratio":25}}]})";
  EXPECT_THAT(decisions({{kKoordinator, list}}), ElementsAre(::testing::StartsWith("nvidia ")));
  EXPECT_THAT(
      decisions({{kKoordinator, list}, {"huawei.com/npu-core", "3-vir02"}, {kAscend, "Ascend310P-3"}}),
      ElementsAre("ascend scheduling.koordinator.sh/device-allocated [3,6144,0:]"));
  EXPECT_THAT(decisions({{kKoordinator, list}, {"CAMBRICON_DSMLU_PROFILE", "3_0_24"}}),
              ElementsAre(::testing::StartsWith("cambricon scheduling")));
  EXPECT_THAT(decisions({{kKoordinator, list}, {"huawei.com/npu-core", "4-vir02"}}),
              ElementsAre(AllOf(HasSubstr(kKoordinator), HasSubstr("huawei.com/npu-core"))));
}

TEST(WorkedThroughLists, CountOnlyWhereNoOtherIs) {
  EXPECT_THAT(decisions({{kLeft, ";GPU-b,NVIDIA,5000,0:;;"}}), ElementsAre(HasSubstr("[] [GPU-b,5000,0:]")));
  EXPECT_THAT(decisions({{kLeft, ";;;"}}), IsEmpty()) << "blanked: not known, not nothing";
  EXPECT_THAT(decisions({{kLeft, ";GPU-b,NVIDIA,5000,0:;;"},
                         {"volcano.sh/vgpu-ids-new", "GPU-a,NVIDIA,1,0:;GPU-b,NVIDIA,5000,0:"}}),
              ElementsAre(HasSubstr("volcano.sh/vgpu-ids-new")))
      << "no disagreement";
}

class NamedByEnflame : public ::testing::Test {
 protected:
  std::string devices(const std::string& groups, const std::string& containers) {
    VendorNode node{recipe(), inventory(2)};
    node.recipe.metadata.name = node.inventory.vendor = "enflame";
    auto view = in_pod(
        annotated({{"hami.io/enflame-vgpu-devices-allocated", groups}, {"assigned-containers", containers}}),
        "train");
    const auto request = parse_request(view, {node.recipe}, Policy{});
    if (!request) return request.error().line();
    if (!*request || (*request)->vendors.empty()) return "nothing";
    const auto got = resolve(*(*request)->vendors[0].scheduled, node, {});
    return got ? got->decided.devices.front().device : got.error().line();
  }
};

TEST_F(NamedByEnflame, AContainerHasItsDeviceByItsName) {
  const std::string one = "GPU-1,Enflame,24576,50:;";
  EXPECT_EQ(devices(one, R"({"train":{"allocated":true,"request":3}})"), "GPU-1");
  EXPECT_EQ(devices(one, R"({"other":{"allocated":true,"request":3}})"), "nothing");
  EXPECT_EQ(devices(one, "null"), "nothing");
  EXPECT_THAT(devices("GPU-0,Enflame,8192,16:;" + one, R"({"train":{}})"),
              HasSubstr("the container names no device"))
      << "its name does not say which group is its own";
}

class ResourceClaim : public ::testing::Test {
 protected:
  ResourceClaim() {
    recipe_ = recipe();
    recipe_.metadata.vendor = "nvidia.com";
    vendors::Block& block = recipe_.inject.emplace_back();
    block.for_each = vendors::ForEach::device;
    block.device_nodes.emplace_back().path = "/dev/nvidia${dev.minor}";
    cards_ = inventory(4);
    for (vendors::Device& device : cards_.devices) device.fields["minor"] = text::number(device.index);
  }

  static oci::ContainerView claimed(Env env) {
    auto view = in_pod(with_env(std::move(env)), "train");
    view.mounts.push_back({"/usr/local/vgpu/claims/6f1c", "/usr/local/vgpu/claims/6f1c", "bind", {}});
    return view;
  }

  std::vector<std::string> decide(const oci::ContainerView& view) {
    return given_by(parse_request(view, {recipe_}, Policy{}), {recipe_, cards_});
  }

  vendors::Recipe recipe_;
  vendors::Inventory cards_;
};

TEST_F(ResourceClaim, GivesTheCardsWhoseNodesAreThereWithTheDriversLimits) {
  auto view = claimed({{"NVIDIA_VISIBLE_DEVICES", "void"},
                       {"CUDA_DEVICE_MEMORY_LIMIT_0", "3000m"},
                       {"CUDA_DEVICE_MEMORY_LIMIT_1", "5000m"},
                       {"CUDA_DEVICE_SM_LIMIT_0", "30"},
                       {"CUDA_DEVICE_SM_LIMIT_1", "60"}});
  view.device_paths = {"/dev/nvidiactl", "/dev/nvidia1", "/dev/nvidia3"};
  EXPECT_TRUE(may_request(view, Policy{}));
  EXPECT_THAT(decide(view), ElementsAre("GPU-1 3000 30", "GPU-3 5000 60"));
}

TEST_F(ResourceClaim, WithoutACardsNodeTheContainerIsLeftAlone) {
  EXPECT_THAT(decide(claimed({{"CUDA_DEVICE_MEMORY_LIMIT_0", "3000m"}})), IsEmpty());
  auto plain = in_pod(with_env({{"CUDA_DEVICE_MEMORY_LIMIT_0", "3000m"}}), "train");
  plain.device_paths = {"/dev/nvidia1"};
  EXPECT_FALSE(may_request(plain, Policy{})) << "no claim";
  EXPECT_THAT(decide(plain), IsEmpty());
}

TEST_F(ResourceClaim, IsNamedByTheDriversCdiNamesToo) {
  auto view = in_pod(annotated({{"cdi.k8s.io/claims",
                                 "k8s.gpu.nvidia.com/claim=6f1c-gpu-2,k8s.gpu.nvidia.com/claim=6f1c-gpu-0"}}),
                     "train");
  EXPECT_THAT(decide(view), ElementsAre("2 all 0", "0 all 0"));
  view.annotations["cdi.k8s.io/claims"] = "k8s.hami-core-gpu.project-hami.io/claim=6f1c-hami-gpu-1";
  view.env = {{"CUDA_DEVICE_MEMORY_LIMIT_0", "3000m"}, {"CUDA_DEVICE_SM_LIMIT_0", "30"}};
  EXPECT_THAT(decide(view), ElementsAre("1 3000 30"));
  view.annotations["cdi.k8s.io/claims"] = "k8s.gpu.nvidia.com/claim=6f1c-card-2";
  EXPECT_THAT(decide(view), ElementsAre(AllOf(HasSubstr("'cdi.k8s.io/claims'"), HasSubstr("6f1c-card-2"))));
}

TEST_F(ResourceClaim, YieldsToASchedulersList) {
  auto view = claimed({{"NVIDIA_VISIBLE_DEVICES", "GPU-1"}});
  view.annotations[kHami] = "GPU-1,NVIDIA,3000,30:;";
  EXPECT_THAT(decide(view), ElementsAre("GPU-1 3000 30"));
}

}  // namespace
}  // namespace hami::shim
