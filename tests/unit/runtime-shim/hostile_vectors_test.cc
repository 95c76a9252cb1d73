// Annotations as a hostile or confused scheduler would write them, each format in turn: what is said must
// name the key and the text, and never become "no limit".
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "runtime-shim/pod/decision.h"
#include "runtime-shim/request/request.h"
#include "tests/unit/runtime-shim/fixtures.h"

namespace hami::shim {
namespace {

using namespace testing;

using Annotations = std::map<std::string, std::string>;

// The decisions as "<vendor> <key> [<uuid> <memory> <cores>]…", or "ERROR <message>".
std::string decided(const Annotations& annotations) {
  oci::ContainerView container = in_pod(annotated(annotations), "c");
  const auto got = read_decisions(container, Policy{}, nullptr);
  if (!got) return text::cat({"ERROR ", got.error().line()});
  std::vector<std::string> out;
  for (const PodDecision& decision : *got) {
    std::string line = text::cat({decision.vendor, " ", decision.key, " "});
    for (const auto& group : decision.groups) {
      std::vector<std::string> records;
      for (const auto& record : group)
        records.push_back(
            text::cat({record.uuid, " ", std::to_string(record.memory), " ", std::to_string(record.cores)}));
      line += text::cat({"[", text::join(records, "; "), "]"});
    }
    out.push_back(line);
  }
  return text::join(out, " + ");
}

struct Row {
  Annotations annotations;
  std::string expected;  // or "ERROR " and every telling part, by '~'
};

void check(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const std::string got = decided(row.annotations);
    const std::string& about = row.annotations.begin()->second;
    if (!row.expected.starts_with("ERROR ")) {
      EXPECT_EQ(got, row.expected) << about;
      continue;
    }
    EXPECT_TRUE(got.starts_with("ERROR ")) << about << ": " << got;
    for (const auto part : text::split(std::string_view(row.expected).substr(6), '~'))
      EXPECT_THAT(got, ::testing::HasSubstr(std::string(part))) << about;
  }
}

constexpr const char* kNvidia = "hami.io/vgpu-devices-allocated";
constexpr const char* kVolcano = "volcano.sh/vgpu-ids-new";
constexpr const char* kKoordinator = "scheduling.koordinator.sh/device-allocated";

TEST(HostileVectors, RecordsOfHami) {
  check({
      {{{kNvidia, "GPU-a,NVIDIA,+3000,-0:;"}}, "nvidia hami.io/vgpu-devices-allocated [GPU-a 3000 0]"},
      {{{kNvidia, "GPU-a,NVIDIA,0003000,030:;"}}, "nvidia hami.io/vgpu-devices-allocated [GPU-a 3000 30]"},
      {{{kNvidia, "GPU-a,NVIDIA,3000,30,custom,more:;"}},
       "nvidia hami.io/vgpu-devices-allocated [GPU-a 3000 30]"},
      {{{kNvidia, "GPU-a,NVIDIA,3000,30"}}, "nvidia hami.io/vgpu-devices-allocated [GPU-a 3000 30]"},
      {{{kNvidia, "GPU-a:GPU-b,NVIDIA,3000,30:;"}}, "nvidia hami.io/vgpu-devices-allocated [GPU-b 3000 30]"},
      {{{kNvidia, "GPU-a,,3000,30:;"}}, "nvidia hami.io/vgpu-devices-allocated [GPU-a 3000 30]"},
      {{{kNvidia, "GPU-a,NVIDIA,2147483648,30:;"}}, "ERROR 'hami.io/vgpu-devices-allocated'~2147483648"},
      {{{kNvidia, "GPU-a,NVIDIA,-2147483649,30:;"}}, "ERROR -2147483649"},
      {{{kNvidia, "GPU-a,NVIDIA,0x10,30:;"}}, "ERROR 0x10"},
      {{{kNvidia, "GPU-a,NVIDIA,1_000,30:;"}}, "ERROR 1_000"},
      {{{kNvidia, "GPU-a,NVIDIA,3000 ,30:;"}}, "ERROR '3000 '"},
      {{{kNvidia, "GPU-a,NVIDIA,\xd9\xa3,30:;"}}, "ERROR 'hami.io/vgpu-devices-allocated'"},
      {{{kNvidia, "GPU-a,NVIDIA,3e3,30:;"}}, "ERROR 3e3"},
      {{{kNvidia, "GPU-a,NVIDIA,3000,:;"}}, "ERROR 'hami.io/vgpu-devices-allocated'"},
      {{{kNvidia, "GPU-a,NVIDIA,+,30:;"}}, "ERROR 'hami.io/vgpu-devices-allocated'"},
      {{{kNvidia, "GPU-a,NVIDIA,3000:;"}}, "ERROR 'hami.io/vgpu-devices-allocated'~GPU-a,NVIDIA,3000"},
      {{{kNvidia, "GPU-a,NVIDIA,3000,30:\n;"}}, "nvidia hami.io/vgpu-devices-allocated [GPU-a 3000 30]"},
      {{{"hami.io/VGPU-devices-allocated", "GPU-a,NVIDIA,3000,30:;"}}, ""},
      {{{"hami.io/vastai-devices-allocated", "va-0,Vastai,0,0:;"}}, ""},
      {{{"hami.io/Vastai-devices-allocated", "va-0,Vastai,0,0:;"}},
       "vastai hami.io/Vastai-devices-allocated [va-0 0 0]"},
      {{{"hami.io/amd-devices-allocated", "uuid-1,AMD Instinct MI300X VF,65536,304:;"}},
       "amd hami.io/amd-devices-allocated [uuid-1 65536 304]"},
      {{{"hami.io/aws-neuron-devices-allocated", "n-AWSNeuron-0,AWSNeuron,0,3:;"}},
       "neuron hami.io/aws-neuron-devices-allocated [n-AWSNeuron-0 0 3]"},
      {{{"hami.io/BI-V150-devices-allocated", "u,BI-V150,32768,100:;"},
        {"hami.io/MR-V100-devices-allocated", ";"}},
       "iluvatar hami.io/BI-V150-devices-allocated [u 32768 100]"},
      {{{"hami.io/Ascend910C-devices-allocated", "u-0,Ascend910C,65536,0:u-1,Ascend910C,65536,0:;"},
        {"huawei.com/Ascend910C", "null"}},
       "ascend hami.io/Ascend910C-devices-allocated [u-0 65536 0; u-1 65536 0]"},
      {{{"hami.io/Ascend910C-devices-allocated", ";;"}, {"huawei.com/Ascend910C", "null"}}, ""},
      {{{"hami.io/kunlun-allocated", "node-kunlun-3,kunlun,98304,100:;"}},
       "kunlunxin hami.io/kunlun-allocated [node-kunlun-3 98304 100]"},
  });
}

TEST(HostileVectors, VolcanosAreJoined) {
  check({
      {{{kVolcano, "GPU-a,NVIDIA,3000,0:;GPU-b,NVIDIA,5000,0:"}},
       "nvidia volcano.sh/vgpu-ids-new [GPU-a 3000 0][GPU-b 5000 0]"},
      {{{kVolcano, ";GPU-b,NVIDIA,5000,0:"}}, "nvidia volcano.sh/vgpu-ids-new [][GPU-b 5000 0]"},
      {{{kVolcano, "GPU-a[group1-0],NVIDIA,3000,0:"}},
       "nvidia volcano.sh/vgpu-ids-new [GPU-a[group1-0] 3000 0]"},
      {{{kVolcano, "GPU-a,NVIDIA,x,0:"}}, "ERROR 'volcano.sh/vgpu-ids-new'~'x'"},
      {{{kVolcano, ";;"}}, ""},
      {{{"volcano.sh/gpu-index", "0,1"}}, "nvidia volcano.sh/gpu-index [0 2147483647 0; 1 2147483647 0]"},
      {{{"volcano.sh/gpu-index", "-1"}}, "ERROR 'volcano.sh/gpu-index'~'-1'"},
      {{{"volcano.sh/gpu-index", "4294967296"}}, "ERROR 4294967296"},
      {{{"volcano.sh/gpu-index", ""}}, ""},
  });
}

TEST(HostileVectors, KoordinatorsJson) {
  check({
      {{{kKoordinator,
         R"({"gpu":[{"minor":1,"resources":{"koordinator.sh/gpu-core":"50","koordinator.sh/gpu-memory":"8Gi","koordinator.sh/gpu-memory-ratio":"20"}}]})"}},
       "nvidia scheduling.koordinator.sh/device-allocated [1 8192 50]"},
      {{{kKoordinator, R"({"rdma":[{"minor":0,"resources":{}}]})"}}, ""},
      {{{kKoordinator, R"({"gpu":[]})"}}, ""},
      {{{kKoordinator, R"({"gpu":[{"minor":-1,"resources":{}}]})"}},
       "ERROR scheduling.koordinator.sh/device-allocated"},
      {{{kKoordinator, R"({"gpu":[{"minor":4294967296,"resources":{}}]})"}},
       "ERROR scheduling.koordinator.sh/device-allocated"},
      {{{kKoordinator, R"({"gpu":[{"resources":{"koordinator.sh/gpu-core":50}}]})"}},
       "ERROR scheduling.koordinator.sh/device-allocated~minor"},
      {{{kKoordinator, R"({"gpu":{"minor":1}})"}}, "ERROR scheduling.koordinator.sh/device-allocated"},
      {{{kKoordinator,
         R"({"gpu":[{"minor":1,"resources":{"koordinator.sh/gpu-core":"-5","koordinator.sh/gpu-memory":"8Gi"}}]})"}},
       "ERROR scheduling.koordinator.sh/device-allocated~-5"},
      {{{kKoordinator, R"({"gpu":[{"minor":1)"}}, "ERROR scheduling.koordinator.sh/device-allocated"},
      {{{kKoordinator, R"({"gpu":[]} trailing)"}}, "ERROR scheduling.koordinator.sh/device-allocated"},
  });
}

TEST(HostileVectors, GpuManagersNumbers) {
  check({
      {{{"tencent.com/vcuda-core", "30"},
        {"tencent.com/vcuda-memory", "20"},
        {"tencent.com/predicate-gpu-idx-0", "0,1"}},
       "ERROR 'tencent.com/predicate-gpu-idx-0' names 2 cards~'tencent.com/vcuda-core' with '30' is for 1"},
      {{{"tencent.com/vcuda-core", "200"}, {"tencent.com/predicate-gpu-idx-1", "2"}},
       "ERROR 'tencent.com/predicate-gpu-idx-1' names 1 cards~'tencent.com/vcuda-core' with '200' is for 2"},
      {{{"tencent.com/vcuda-core", "200"}, {"tencent.com/predicate-gpu-idx-1", "2,5"}},
       "nvidia tencent.com/predicate-gpu-idx [2 2147483647 100; 5 2147483647 100]"},
      {{{"tencent.com/vcuda-core", "30"},
        {"tencent.com/vcuda-memory", "20"},
        {"tencent.com/predicate-gpu-idx-0", "0,1"},
        {"tencent.com/predicate-gpu-idx-1", "3"}},
       "nvidia tencent.com/predicate-gpu-idx [0 5120 30; 1 5120 30][3 5120 30]"},
      {{{"tencent.com/vcuda-core", "250"}, {"tencent.com/predicate-gpu-idx-0", "0,1"}},
       "ERROR 'tencent.com/vcuda-core'~250"},
      {{{"tencent.com/vcuda-core", "30"},
        {"tencent.com/vcuda-memory", "-1"},
        {"tencent.com/predicate-gpu-idx-0", "0"}},
       "ERROR 'tencent.com/vcuda-memory'~-1"},
      {{{"tencent.com/vcuda-core", "200"}, {"tencent.com/predicate-gpu-idx-x", "0,1"}},
       "ERROR tencent.com/predicate-gpu-idx-x"},
      {{{"tencent.com/vcuda-core", "200"}, {"tencent.com/predicate-gpu-idx-0", "0;1"}},
       "ERROR tencent.com/predicate-gpu-idx-0"},
  });
}

TEST(HostileVectors, CompanionsInTheirJson) {
  check({
      {{{kNvidia, "GPU-a,NVIDIA,10240,0:;"},
        {"hami.io/vgpu-mig-allocations",
         R"([{"containerIndex":0,"deviceIndex":0,"gpuUUID":"GPU-z","profile":"1g.10gb","placement":{"start":0,"size":1}}])"}},
       "ERROR hami.io/vgpu-mig-allocations~hami.io/vgpu-devices-allocated"},
      {{{kNvidia, "GPU-a,NVIDIA,10240,0:;"},
        {"hami.io/vgpu-mig-allocations",
         R"([{"containerIndex":0,"deviceIndex":0,"gpuUUID":"GPU-a","profile":"1g.10gb","placement":{"start":0,"size":1},"migUUID":"MIG-1"}])"}},
       "ERROR 'hami.io/vgpu-mig-allocations'"},
      {{{kNvidia, "GPU-a,NVIDIA,10240,0:;"},
        {"hami.io/vgpu-mig-allocations",
         R"([{"containerIndex":0,"deviceIndex":0,"gpuUUID":"GPU-a","profile":"1g.10gb","placement":{"start":0,"size":0}}])"}},
       "ERROR 'hami.io/vgpu-mig-allocations'~size"},
      {{{kNvidia, "GPU-a,NVIDIA,10240,0:;"}, {"hami.io/vgpu-mig-allocations", ""}},
       "nvidia hami.io/vgpu-devices-allocated [GPU-a 10240 0]"},
      {{{"hami.io/metax-sgpu-devices-allocated", "m-0,Metax-SGPU,500,10:;"},
        {"metax-tech.com/gpu-devices-allocated", R"([[{"uuid":"m-1","compute":10,"vRam":500}]])"}},
       "ERROR metax-tech.com/gpu-devices-allocated"},
      {{{"CAMBRICON_DSMLU_PROFILE", "0_10"}}, "ERROR CAMBRICON_DSMLU_PROFILE"},
      {{{"hami.io/amd-devices-allocated", "u,AMD,65536,10:;"},
        {"hami.io/amd-cu-allocated", R"({"u":"9-3"})"}},
       "ERROR 'hami.io/amd-cu-allocated'~9-3"},
      {{{"hami.io/amd-devices-allocated", "u,AMD,65536,10:;"},
        {"hami.io/amd-cu-allocated", R"({"u":"0-3,"})"}},
       "ERROR 'hami.io/amd-cu-allocated'"},
  });
}

}  // namespace
}  // namespace hami::shim
