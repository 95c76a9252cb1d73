// The allocation formats as tables: what is written, and what it means.

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/amounts.h"
#include "runtime-shim/schedulers/keys.h"
#include "runtime-shim/schedulers/mig.h"
#include "runtime-shim/schedulers/neighbours.h"
#include "runtime-shim/schedulers/node_texts.h"
#include "runtime-shim/schedulers/plugins.h"

namespace hami::schedulers {
namespace {

using ::testing::HasSubstr;

struct Vector {
  const char* id;
  std::string input;
  std::string expected;  // canonical text of the result, or "ERROR <a telling part of the message>"
};

std::string text_of(const std::vector<Group>& groups) {
  std::string out = "{";
  for (std::size_t i = 0; i < groups.size(); ++i) {
    out += i == 0 ? " [" : " ; [";
    for (std::size_t k = 0; k < groups[i].size(); ++k) {
      const DeviceRecord& record = groups[i][k];
      out += text::cat({k == 0 ? "(" : ", (", record.uuid, ", ", record.type, ", ",
                        std::to_string(record.memory), ", ", std::to_string(record.cores), ")"});
    }
    out += "]";
  }
  return out + " }";
}

template <typename Decode, typename Text>
void check(const std::vector<Vector>& vectors, Decode decode, Text text) {
  for (const Vector& vector : vectors) {
    const auto got = decode(vector.input);
    const bool refused = vector.expected.rfind("ERROR", 0) == 0;
    ASSERT_EQ(got.has_value(), !refused) << vector.id;
    if (refused) {
      EXPECT_THAT(got.error().message, HasSubstr(vector.expected.substr(6))) << vector.id;
    } else {
      EXPECT_EQ(text(*got), vector.expected) << vector.id;
    }
  }
}

TEST(Vectors, GroupsAreDecodedAsTheSchedulersMeanThem) {
  check(
      {
          {"T01", "GPU-a,NVIDIA,3000,30:;", "{ [(GPU-a, NVIDIA, 3000, 30)] ; [] }"},
          {"T02", "GPU-a,NVIDIA,3000,30:GPU-b,NVIDIA,5000,0:;",
           "{ [(GPU-a, NVIDIA, 3000, 30), (GPU-b, NVIDIA, 5000, 0)] ; [] }"},
          {"T03", "GPU-a,NVIDIA,3000,30:;GPU-b,NVIDIA,5000,0:;",
           "{ [(GPU-a, NVIDIA, 3000, 30)] ; [(GPU-b, NVIDIA, 5000, 0)] ; [] }"},
          {"T04", ";GPU-a,NVIDIA,3000,30:;", "{ [] ; [(GPU-a, NVIDIA, 3000, 30)] ; [] }"},
          {"T05", "GPU-a,NVIDIA,3000,30:;;GPU-b,NVIDIA,5000,0:;",
           "{ [(GPU-a, NVIDIA, 3000, 30)] ; [] ; [(GPU-b, NVIDIA, 5000, 0)] ; [] }"},
          {"T06", "", "{ [] }"},
          {"T07", ";", "{ [] ; [] }"},
          {"T08", ";;;", "{ [] ; [] ; [] ; [] }"},
          {"T09", "GPU-a,NVIDIA,3000,30", "{ [(GPU-a, NVIDIA, 3000, 30)] }"},
          {"T10", "GPU-a,NVIDIA,3000,30:", "{ [(GPU-a, NVIDIA, 3000, 30)] }"},
          {"T11", "GPU-a,NVIDIA,3000,30::GPU-b,NVIDIA,1,2:;",
           "{ [(GPU-a, NVIDIA, 3000, 30), (GPU-b, NVIDIA, 1, 2)] ; [] }"},
          {"T12", "GPU-a,NVIDIA,3000,30,extra,more:;", "{ [(GPU-a, NVIDIA, 3000, 30)] ; [] }"},
          {"T13", "GPU-a,NVIDIA,3000:;", "ERROR 3 fields instead of 4"},
          {"T14", "GPU-a:;", "{ [] ; [] }"},
          {"T15", "GPU-a,NVIDIA,3000m,30:;", "ERROR '3000m'"},
          {"T16", "GPU-a,NVIDIA,2147483648,0:;", "ERROR '2147483648'"},
          {"T17", "GPU-a,NVIDIA,2147483647,0:;", "{ [(GPU-a, NVIDIA, 2147483647, 0)] ; [] }"},
          {"T18", "GPU-a,NVIDIA,-5,0:;", "{ [(GPU-a, NVIDIA, -5, 0)] ; [] }"},
          {"T19", "GPU-a,NVIDIA,+7,0:;", "{ [(GPU-a, NVIDIA, 7, 0)] ; [] }"},
          {"T20", "GPU-a,NVIDIA, 7,0:;", "ERROR ' 7'"},
          {"T21", "GPU-a,NVIDIA,0x10,0:;", "ERROR '0x10'"},
          {"T22", ",,0,0:;", "{ [(, , 0, 0)] ; [] }"},
          {"T23", "GPU-a,NVIDIA,1000,0:;,,0,0:;", "{ [(GPU-a, NVIDIA, 1000, 0)] ; [(, , 0, 0)] ; [] }"},
          {"T24", "GPU-a,NVIDIA,1000,0:;GPU-b,NVIDIA:;", "ERROR group 1, record 0: 2 fields"},
          {"T25", "8eff74b5-0000-1000-801b-b56457addd1b,AMD Instinct MI300X VF,49152,76:;",
           "{ [(8eff74b5-0000-1000-801b-b56457addd1b, AMD Instinct MI300X VF, 49152, 76)] ; [] }"},
      },
      [](const std::string& input) { return decode_groups(input); },
      [](const std::vector<Group>& groups) { return text_of(groups); });
}

TEST(Vectors, GroupsAreWrittenAsTheSchedulersWriteThem) {
  const Group a{{"GPU-a", "NVIDIA", 3000, 30}};
  const Group b{{"GPU-b", "NVIDIA", 5000, 0}};
  EXPECT_EQ(encode_hami({a, {}, b}), "GPU-a,NVIDIA,3000,30:;;GPU-b,NVIDIA,5000,0:;") << "T26";
  EXPECT_EQ(encode_hami({{}, {}, {}}), ";;;") << "T27";
  EXPECT_EQ(encode_volcano({a, b}), "GPU-a,NVIDIA,3000,30:;GPU-b,NVIDIA,5000,0:") << "T28";
}

TEST(Vectors, APluginBlanksTheNextGroupAndTheTextGrowsByOneTerminator) {
  const auto after_allocate = [](const std::string& value) {
    auto groups = decode_groups(value).value();
    for (Group& group : groups) {
      if (group.empty()) continue;
      group.clear();
      break;
    }
    return encode_hami(groups);
  };
  const std::string once = after_allocate("GPU-a,NVIDIA,3000,30:;GPU-b,NVIDIA,5000,0:;");
  EXPECT_EQ(once, ";GPU-b,NVIDIA,5000,0:;;") << "T29";
  EXPECT_EQ(after_allocate(once), ";;;;") << "T29";
}

TEST(Vectors, AnOlderPluginCollapsesWhatItBlanked) {
  const auto after_allocate = [](const std::string& value) {
    auto groups = decode_groups(value).value();
    std::erase_if(groups, [](const Group& group) { return group.empty(); });
    if (!groups.empty()) groups.front().clear();
    return encode_hami(groups);
  };
  const std::string once = after_allocate("GPU-a,NVIDIA,3000,30:;GPU-b,NVIDIA,5000,0:;");
  EXPECT_EQ(once, ";GPU-b,NVIDIA,5000,0:;") << "T30";
  EXPECT_EQ(after_allocate(once), ";") << "T30";
}

TEST(Vectors, MigSuffixes) {
  check(
      {{"T31", "GPU-a[1-0]", "GPU-a 1 0"},
       {"T32", "GPU-a[group1-0]", "ERROR not a number"},
       {"T33", "GPU-a[1]", "ERROR no '-'"},
       {"T33", "GPU-a1-0]", "ERROR no '['"},
       {"T33", "GPU-a[1-0", "ERROR no ']'"}},
      [](const std::string& input) { return parse_mig_slot(input); },
      [](const MigSlot& slot) {
        return text::cat({slot.uuid, " ", text::number(slot.template_index), " ", text::number(slot.slot)});
      });
  EXPECT_EQ(parse_volcano_mig_slot("GPU-a[group1-0]").value(), (VolcanoMigSlot{"GPU-a", "group1", 0}))
      << "T32";
}

TEST(Vectors, MigReservations) {
  const std::string entry =
      R"({"containerIndex":0,"deviceIndex":0,"gpuUUID":"GPU-a","profile":"1g.10gb","placement":{"start":6,"size":1})";
  EXPECT_FALSE(parse_mig_allocations("[" + entry + R"(,"migUUID":"MIG-1"}])")) << "T34";
  EXPECT_TRUE(parse_mig_allocations("[" + entry + "}]")) << "T35";
}

TEST(Vectors, TerminatorsAloneAllocateNothing) {
  const auto got =
      pod_allocations({{"hami.io/Ascend310P-devices-allocated", ";;"}, {"huawei.com/Ascend310P", "null"}});
  ASSERT_TRUE(got) << "T36";
  EXPECT_TRUE(got->front().groups.empty()) << "T36";
}

TEST(Vectors, AmountsHaveTheUnitsOfTheirVendor) {
  const struct {
    const char* id;
    const char* key;
    DeviceRecord record;
    std::string expected;  // "<MiB or all> <percent>"
  } rows[] = {
      {"T49", "hami.io/vgpu-devices-allocated", {"GPU-x", "NVIDIA", 3000, 30}, "3000 30"},
      {"T57", "hami.io/vgpu-devices-allocated", {"GPU-x", "NVIDIA", 3000, 150}, "3000 100"},
      {"T61", "hami.io/cambricon-mlu-devices-allocated", {"n1-cambricon-mlu-3", "MLU", 4096, 50}, "4096 50"},
      {"T64", "hami.io/Ascend310P-devices-allocated", {"u", "Ascend310P", 6144, 0}, "6144 0"},
      {"T72", "hami.io/mthreads-vgpu-devices-allocated", {"n-mthreads-0", "Mthreads", 16384, 8}, "16384 50"},
      {"T75", "hami.io/xpu-devices-allocated", {"x", "XPU", 49152, 50}, "49152 50"},
      {"T78", "hami.io/amd-devices-allocated", {"u", "AMD", 49152, 76}, "49152 0"},
      {"T79", "hami.io/aws-neuron-devices-allocated", {"n-AWSNeuron-3", "AWSNeuron", 0, 2}, "all 0"},
      {"T80", "hami.io/Biren-devices-allocated", {"card_2", "Biren", 0, 0}, "all 0"},
      {"kunlun", "hami.io/kunlun-allocated", {"n-kunlun-0", "kunlun", 98304, 100}, "all 100"},
  };
  for (const auto& row : rows) {
    const auto got = amounts_of(row.record, row.key);
    ASSERT_TRUE(got) << row.id << ": " << got.error().message;
    EXPECT_EQ(text::cat({got->memory ? text::number(got->memory->whole_mib()) : "all", " ",
                         text::number(got->cores.value)}),
              row.expected)
        << row.id;
  }
  for (const DeviceRecord& bad :
       {DeviceRecord{"GPU-a", "NVIDIA", -5, 0}, DeviceRecord{"GPU-a", "NVIDIA", 0, 0},
        DeviceRecord{"GPU-a", "NVIDIA", 5, -1}}) {
    EXPECT_FALSE(amounts_of(bad, "hami.io/vgpu-devices-allocated")) << "T18";
  }
}

TEST(Vectors, CdiNamesOfTheDevicePlugin) {
  check(
      {{"T85", "k8s.device-plugin.nvidia.com/gpu=GPU-a", "k8s.device-plugin.nvidia.com/gpu=GPU-a"},
       {"two", "nvidia.com/gpu=0, birentech.com/1-2-gpu=card_1",
        "nvidia.com/gpu=0,birentech.com/1-2-gpu=card_1"},
       {"none", "", "ERROR vendor/class=name"},
       {"no class", "nvidia.com=0", "ERROR CDI name 0"},
       {"path", "nvidia.com/gpu=../x", "ERROR CDI name 0"},
       {"second", "nvidia.com/gpu=0,gpu", "ERROR CDI name 1"}},
      [](const std::string& input) { return parse_cdi_names(input); },
      [](const std::vector<CdiName>& names) { return encode_cdi_names(names); });
}

TEST(Vectors, KoordinatorsDevicesAreOneGroupOfThePod) {
  const std::vector<KoordinatorDevice> devices{{"gpu", 1, "", 50, Bytes{17179869184}, 50}};
  EXPECT_EQ(koordinator_group(devices, "gpu").value(), (Group{{"1", "gpu", 16384, 50}})) << "T87";
  EXPECT_EQ(parse_koordinator(encode_koordinator(devices)).value(), devices) << "T87";
  EXPECT_TRUE(koordinator_group({{"gpu", 0, "GPU-a", 100, std::nullopt, 100}}, "gpu")) << "T88";
  EXPECT_FALSE(koordinator_group({{"gpu", 0, "", 50, std::nullopt, 50}}, "gpu")) << "a share without memory";
}

TEST(Vectors, KaiKeepsTwoDecimalsOfAFraction) {
  EXPECT_EQ(kai_memory("4096", Bytes::mib(15360)).value(), Bytes::mib(4147)) << "T89";
  EXPECT_EQ(kai_fraction("0.5", Bytes::mib(15360)).value(), Bytes::mib(7680));
  EXPECT_EQ(kai_fraction("1", Bytes::mib(100)).value(), Bytes::mib(100));
  for (const char* bad : {"0", "0.00", "1.01", "2", "-0.5", ".5", "0.", "0,5", "half", ""})
    EXPECT_FALSE(kai_fraction(bad, Bytes::mib(100))) << bad;
  for (const char* bad : {"0", "15361", "4Gi", ""}) EXPECT_FALSE(kai_memory(bad, Bytes::mib(15360))) << bad;
}

TEST(Vectors, MpsGivesEveryClientAnEqualPart) {
  const auto got = mps_share(Bytes::mib(24576), 4);
  ASSERT_TRUE(got) << "T90";
  EXPECT_EQ(encode_mps_memory(got->memory), "6144M") << "T90";
  EXPECT_EQ(got->threads.value, 25U) << "T90";
  EXPECT_FALSE(mps_share(Bytes::mib(1), 0));
  EXPECT_FALSE(mps_share(Bytes::mib(1), 17, 16));
}

TEST(Vectors, GpuManagerCountsInBlocksOf256MiB) {
  const auto got =
      parse_gpu_manager({{"tencent.com/vcuda-core", "30"}, {"tencent.com/vcuda-memory", "20"}}, 0);
  EXPECT_EQ((*got)->memory.value, 5368709120U) << "T91";
}

TEST(Vectors, NodesRegisterTheirDevicesAsTextOrJson) {
  const auto text = [](const std::vector<NodeDevice>& devices) {
    return text::cat({devices[0].mode, " ", text::number(devices[0].index), " ",
                      std::to_string(devices[0].numa), " ", devices[0].healthy ? "healthy" : "ill"});
  };
  check(
      {{"T93", "GPU-a,10,32768,100,NVIDIA-Tesla V100,0,true:", "hami-core 0 0 healthy"},
       {"nine", "GPU-a,10,32768,100,NVIDIA-Tesla V100,1,f,3,mig:", "mig 3 1 ill"},
       {"T94", "GPU-a,10,32768,100,NVIDIA-T4,0,true,0:", "ERROR 8 fields"},
       {"T94", "GPU-a,10,32768,100,NVIDIA-T4,0,true", "ERROR no ':'"},
       {"T94", "GPU-a,10,32768,100,NVIDIA-T4,0,true,-1,hami-core:", "ERROR bad index '-1'"},
       {"health", "GPU-a,10,32768,100,NVIDIA-T4,0,yes:", "ERROR bad health 'yes'"}},
      [](const std::string& input) { return parse_register(input); }, text);
  check(
      {{"T95", R"([{"id":"GPU-a","count":10,"devmem":16384,"devcore":100,"type":"NVIDIA-T4"}])",
        "hami-core 0 0 ill"},
       {"no id", R"([{"count":10}])", "ERROR entry 0 has no text id"},
       {"empty id", R"([{"id":"","count":10}])", "ERROR entry 0 has an empty id"}},
      [](const std::string& input) { return parse_register_json(input); }, text);
  const std::vector<NodeDevice> devices{{"GPU-a", 10, 32768, 100, "NVIDIA-T4", 1, true, 3, "mig"}};
  EXPECT_EQ(parse_register(encode_register(devices)).value(), devices);
  EXPECT_EQ(parse_register_json(encode_register_json(devices)).value(), devices);
}

TEST(Vectors, NodeLocks) {
  check(
      {{"T96", "2025-10-20T03:07:02Z,ns,pod", "2025-10-20T03:07:02Z,ns,pod"},
       {"T96", "2025-10-20T03:07:02Z", "2025-10-20T03:07:02Z"},
       {"T96", "2025-10-20T03:07:02Z,ns", "ERROR neither"}},
      [](const std::string& input) { return parse_node_lock(input); },
      [](const NodeLock& lock) { return encode_node_lock(lock); });
}

TEST(Vectors, ScoringWeights) {
  check(
      {{"T97", "slot=1,core=1", "ERROR not all"},
       {"T97", "slot=0,core=0,memory=0", "ERROR nothing but 0"},
       {"T97", "core=2, slot=1, memory=0", "slot=1,core=2,memory=0"},
       {"twice", "core=2,core=1,slot=1,memory=0", "ERROR twice"},
       {"sign", "core=-2,slot=1,memory=0", "ERROR not a number"},
       {"other", "cores=2,slot=1,memory=0", "ERROR unknown weight 'cores'"}},
      [](const std::string& input) { return parse_scoring_weights(input); },
      [](const ScoringWeights& weights) { return encode_scoring_weights(weights); });
}

TEST(Vectors, KubeletDevicesNameASlotOfACard) {
  EXPECT_EQ(parse_kubelet_device("GPU-a-1-3", true), (KubeletDevice{"GPU-a-1", 3}));
  EXPECT_EQ(parse_kubelet_device("GPU-a::7", false), (KubeletDevice{"GPU-a", 7}));
  EXPECT_EQ(parse_kubelet_device("GPU-a-1", false), (KubeletDevice{"GPU-a-1", std::nullopt}));
  for (const char* id : {"GPU-a::7", "GPU-a"})
    EXPECT_EQ(encode_kubelet_device(parse_kubelet_device(id, false), false), id);
  EXPECT_EQ(encode_kubelet_device({"GPU-a", 3}, true), "GPU-a-3");
}

}  // namespace
}  // namespace hami::schedulers
