// Values written from the grammars, not taken from any scheduler's documentation: what each release of a
// scheduler would write for Pods of every shape, and what none of them may write.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/amounts.h"
#include "runtime-shim/schedulers/companions.h"
#include "runtime-shim/schedulers/dra.h"
#include "runtime-shim/schedulers/keys.h"
#include "runtime-shim/schedulers/mig.h"
#include "runtime-shim/schedulers/neighbours.h"
#include "runtime-shim/schedulers/plugins.h"

namespace hami::schedulers {
namespace {

using ::testing::HasSubstr;
using Annotations = std::map<std::string, std::string>;

std::string text_of(const std::vector<Group>& groups) {
  std::vector<std::string> parts;
  for (const Group& group : groups) {
    std::vector<std::string> records;
    for (const DeviceRecord& record : group) {
      records.push_back(text::cat({record.uuid, "/", record.type, "/", std::to_string(record.memory), "/",
                                   std::to_string(record.cores)}));
    }
    parts.push_back(text::cat({"[", text::join(records, " "), "]"}));
  }
  return text::join(parts, "");
}

struct Row {
  const char* about;
  Annotations annotations;
  std::string expected;  // "<vendor>[record record][…]", one for each list; or "ERROR" and every telling part
};

// What a Pod's annotations of HAMi and Volcano allocate.
std::string allocated(const Annotations& annotations) {
  const auto got = pod_allocations(annotations);
  if (!got) return text::cat({"ERROR ", got.error().message});
  std::vector<std::string> parts;
  for (const PodAllocation& one : *got) parts.push_back(text::cat({one.vendor, text_of(one.groups)}));
  return text::join(parts, " + ");
}

void check(const std::vector<Row>& rows, const std::function<std::string(const Annotations&)>& decode) {
  for (const Row& row : rows) {
    const std::string got = decode(row.annotations);
    if (!row.expected.starts_with("ERROR ")) {
      EXPECT_EQ(got, row.expected) << row.about;
      continue;
    }
    EXPECT_TRUE(got.starts_with("ERROR ")) << row.about << ": " << got;
    for (const auto part : text::split(std::string_view(row.expected).substr(6), '~'))
      EXPECT_THAT(got, HasSubstr(std::string(part))) << row.about;
  }
}

constexpr const char* kNvidia = "hami.io/vgpu-devices-allocated";

TEST(GrammarVectors, PodsOfEveryShapeFromEveryReleaseOfHami) {
  check(
      {
          {"2.4, one card", {{kNvidia, "GPU-7f,NVIDIA,2048,25:;"}}, "nvidia[GPU-7f/NVIDIA/2048/25]"},
          {"2.4, a container without a card behind two",
           {{kNvidia, "GPU-7f,NVIDIA,2048,25:;GPU-80,NVIDIA,1,1:;,,0,0:;"}},
           "nvidia[GPU-7f/NVIDIA/2048/25][GPU-80/NVIDIA/1/1][]"},
          {"2.5, a placeholder between",
           {{kNvidia, "GPU-7f,NVIDIA,2048,0:;,,0,0:;GPU-80,NVIDIA,512,0:;"}},
           "nvidia[GPU-7f/NVIDIA/2048/0][][GPU-80/NVIDIA/512/0]"},
          {"2.5, an empty group before the placeholder",
           {{kNvidia, "GPU-7f,NVIDIA,2048,0:;;,,0,0:;GPU-80,NVIDIA,512,0:;"}},
           "nvidia[GPU-7f/NVIDIA/2048/0][][][GPU-80/NVIDIA/512/0]"},
          {"2.5, placeholders alone", {{kNvidia, ",,0,0:;,,0,0:;"}}, "nvidia"},
          {"2.6, two cards and none",
           {{kNvidia, "GPU-7f,NVIDIA,2048,0:GPU-80,NVIDIA,2048,0:;;"}},
           "nvidia[GPU-7f/NVIDIA/2048/0 GPU-80/NVIDIA/2048/0][]"},
          {"2.7, none first and last",
           {{kNvidia, ";GPU-7f,NVIDIA,2048,0:;;"}},
           "nvidia[][GPU-7f/NVIDIA/2048/0][]"},
          {"2.8, several empty groups",
           {{kNvidia, ";;;GPU-7f,NVIDIA,2048,0:;"}},
           "nvidia[][][][GPU-7f/NVIDIA/2048/0]"},
          {"2.8, as far as its plugin had blanked the other list",
           {{"hami.io/vgpu-devices-to-allocate", ";GPU-80,NVIDIA,512,0:;"}},
           "nvidia[][GPU-80/NVIDIA/512/0]"},
          {"2.9, a container's two vendors are mixed",
           {{kNvidia, "GPU-7f,NVIDIA,2048,0:A-1,Ascend310P,6144,0:;"},
            {"hami.io/Ascend310P-devices-allocated", "GPU-7f,NVIDIA,2048,0:A-1,Ascend310P,6144,0:;"}},
           "ascend[A-1/Ascend310P/6144/0] + nvidia[GPU-7f/NVIDIA/2048/0]"},
          {"2.9, the other chip of one vendor",
           {{"hami.io/Ascend910B4-1-devices-allocated",
             "A-2,Ascend910B4-1,16384,0:A-3,Ascend910B4,8192,0:;"}},
           "ascend[A-2/Ascend910B4-1/16384/0]"},
          {"2.10, compact",
           {{kNvidia, "GPU-7f,NVIDIA,2048,0:;GPU-80,NVIDIA,512,100:;"}},
           "nvidia[GPU-7f/NVIDIA/2048/0][GPU-80/NVIDIA/512/100]"},
          {"2.10, a vendor that is here and was not asked for",
           {{"hami.io/Ascend910C-devices-allocated", ";;;"}},
           "ascend"},
          {"a key that is there and empty", {{kNvidia, ""}}, "nvidia"},
          {"an empty map", {}, ""},
          {"no terminators", {{kNvidia, "GPU-7f,NVIDIA,2048,25"}}, "nvidia[GPU-7f/NVIDIA/2048/25]"},
          {"records joined by ':' alone",
           {{kNvidia, "GPU-7f,NVIDIA,1,0:GPU-80,NVIDIA,2,0"}},
           "nvidia[GPU-7f/NVIDIA/1/0 GPU-80/NVIDIA/2/0]"},
          {"a later release's fifth field",
           {{kNvidia, "GPU-7f,NVIDIA,2048,25,x:;"}},
           "nvidia[GPU-7f/NVIDIA/2048/25]"},
          {"a text without a comma is no record",
           {{kNvidia, "GPU-7f:GPU-80,NVIDIA,512,0:;"}},
           "nvidia[GPU-80/NVIDIA/512/0]"},
          {"the largest and the smallest number",
           {{kNvidia, "a,NVIDIA,2147483647,-2147483648:;"}},
           "nvidia[a/NVIDIA/2147483647/-2147483648]"},
          {"leading zeros are decimal", {{kNvidia, "a,NVIDIA,0100,007:;"}}, "nvidia[a/NVIDIA/100/7]"},
          {"a type of blanks",
           {{"hami.io/amd-devices-allocated", "u-1,AMD Instinct MI210,65536,104:;"}},
           "amd[u-1/AMD Instinct MI210/65536/104]"},
          {"no type", {{kNvidia, "GPU-7f,,2048,25:;"}}, "nvidia[GPU-7f//2048/25]"},
          {"MIG up to 2.9",
           {{kNvidia, "GPU-7f[2-1],NVIDIA,20480,0:;"}},
           "nvidia[GPU-7f[2-1]/NVIDIA/20480/0]"},
          {"a key of a vendor that is not known",
           {{"hami.io/next-devices-allocated", "n-0,Next,1,1:;"}},
           "[n-0/Next/1/1]"},
          {"keys are case-sensitive",
           {{"hami.io/VGPU-devices-allocated", "x"}, {"hami.io/biren-devices-allocated", ""}},
           " + "},
          {"not an allocation",
           {{"hami.io/vgpu-devices", "x,"},
            {"hami.io/devices-allocated", "x,"},
            {"other.io/vgpu-devices-allocated", "x,"}},
           ""},
      },
      allocated);
}

TEST(GrammarVectors, PartsOfADeviceAreRoundedUpToAPercent) {
  const auto cores = [](const char* key, std::int32_t number) {
    return amounts_of({"d", "", 1, number}, key)->cores.value;
  };
  EXPECT_EQ(cores("hami.io/mthreads-vgpu-devices-allocated", 1), 7U) << "of 16";
  EXPECT_EQ(cores("hami.io/mthreads-vgpu-devices-allocated", 16), 100U);
  EXPECT_EQ(cores("hami.io/mthreads-vgpu-devices-allocated", 32), 100U);
  EXPECT_EQ(cores("hami.io/vgpu-devices-allocated", 1), 1U);
}

TEST(GrammarVectors, VolcanosGroupsAreJoined) {
  check({{"the second container has none",
          {{"volcano.sh/vgpu-ids-new", "GPU-7f,NVIDIA,2048,25:;"}},
          "nvidia[GPU-7f/NVIDIA/2048/25][]"},
         {"the first has none",
          {{"volcano.sh/vgpu-ids-new", ";GPU-7f,NVIDIA,2048,25:"}},
          "nvidia[][GPU-7f/NVIDIA/2048/25]"},
         {"three",
          {{"volcano.sh/vgpu-ids-new", "a,NVIDIA,1,0:;b,NVIDIA,2,0:c,NVIDIA,3,0:;d,NVIDIA,4,0:"}},
          "nvidia[a/NVIDIA/1/0][b/NVIDIA/2/0 c/NVIDIA/3/0][d/NVIDIA/4/0]"},
         {"MIG by the group's name",
          {{"volcano.sh/vgpu-ids-new", "GPU-7f[group2-3],NVIDIA,10240,0:"}},
          "nvidia[GPU-7f[group2-3]/NVIDIA/10240/0]"},
         {"the plugin's list alone",
          {{"volcano.sh/devices-to-allocate", "a,NVIDIA,1,0:;"}},
          "nvidia[a/NVIDIA/1/0][]"},
         {"a bad number",
          {{"volcano.sh/vgpu-ids-new", "a,NVIDIA,1,0:;b,NVIDIA,2,x:"}},
          "ERROR 'volcano.sh/vgpu-ids-new'~group 1, record 0~bad cores 'x'~'b,NVIDIA,2,x'"}},
        allocated);
}

TEST(GrammarVectors, WhatIsMalformedIsNamedWithItsKeyPlaceAndText) {
  const auto bad = [](std::string value) { return Annotations{{kNvidia, std::move(value)}}; };
  const std::string key = text::cat({"ERROR '", kNvidia, "'~"});
  check({{"two fields", bad("GPU-7f,NVIDIA:;"), key + "group 0, record 0~2 fields~'GPU-7f,NVIDIA'"},
         {"three fields, second record", bad("a,NVIDIA,1,0:b,NVIDIA,2:;"),
          key + "group 0, record 1~3 fields~'b,NVIDIA,2'"},
         {"third group", bad(";;a,NVIDIA,1;"), key + "group 2, record 0~3 fields"},
         {"no memory", bad("a,NVIDIA,,0:;"), key + "bad memory ''"},
         {"no cores", bad("a,NVIDIA,1,:;"), key + "bad cores ''"},
         {"a unit", bad("a,NVIDIA,3000Mi,0:;"), key + "bad memory '3000Mi'"},
         {"a fraction", bad("a,NVIDIA,1.5,0:;"), key + "bad memory '1.5'"},
         {"an exponent", bad("a,NVIDIA,1e3,0:;"), key + "bad memory '1e3'"},
         {"an underscore", bad("a,NVIDIA,1_000,0:;"), key + "bad memory '1_000'"},
         {"octal by prefix", bad("a,NVIDIA,0o17,0:;"), key + "bad memory '0o17'"},
         {"a blank behind", bad("a,NVIDIA,1,0 :;"), key + "bad cores '0 '"},
         {"two signs", bad("a,NVIDIA,+-1,0:;"), key + "bad memory '+-1'"},
         {"a sign alone", bad("a,NVIDIA,-,0:;"), key + "bad memory '-'"},
         {"one above 32 bits", bad("a,NVIDIA,1,2147483648:;"), key + "bad cores '2147483648'"},
         {"one below 32 bits", bad("a,NVIDIA,-2147483649,0:;"), key + "bad memory '-2147483649'"},
         {"far above 64 bits", bad("a,NVIDIA,99999999999999999999,0:;"), key + "bad memory"},
         {"a line break", bad("a,NVIDIA,1\n,0:;"), key + "bad memory '1\\n'"},
         {"the list that is worked through",
          {{"hami.io/dcu-devices-to-allocate", "DCU-1,DCU:;"}},
          "ERROR 'hami.io/dcu-devices-to-allocate'~group 0, record 0"}},
        allocated);
}

TEST(GrammarVectors, AmountsThatAreNoShareAreRefusedWithKeyDeviceAndNumber) {
  for (const DeviceRecord& record :
       {DeviceRecord{"GPU-7f", "NVIDIA", 0, 30}, DeviceRecord{"GPU-7f", "NVIDIA", -1, 30}}) {
    const auto got = amounts_of(record, kNvidia);
    ASSERT_FALSE(got);
    EXPECT_THAT(got.error().message, AllOf(HasSubstr(kNvidia), HasSubstr("'GPU-7f'"),
                                           HasSubstr("memory of " + std::to_string(record.memory))));
  }
}

template <typename Value>
std::string error_or(const Result<Value>& got, const std::function<std::string(const Value&)>& text) {
  return got ? text(*got) : text::cat({"ERROR ", got.error().message});
}

struct Texts {
  std::string written;
  std::string expected;  // canonical, or "ERROR" and parts
};

void check_texts(const std::vector<Texts>& rows,
                 const std::function<std::string(const std::string&)>& decode) {
  for (const Texts& row : rows)
    check({{row.written.c_str(), {{"", row.written}}, row.expected}},
          [&](const Annotations& one) { return decode(one.begin()->second); });
}

TEST(GrammarVectors, MigAllocationsBesideTheList) {
  const std::string reserved =
      R"({"containerIndex":0,"deviceIndex":1,"gpuUUID":"GPU-7f","profile":"3g.71gb","placement":{"start":4,"size":4}})";
  const std::string made =
      R"({"containerIndex":2,"deviceIndex":0,"gpuUUID":"GPU-80","profile":"1g.18gb","placement":{"start":0,"size":1},"migUUID":"MIG-5","gpuInstanceID":9,"computeInstanceID":0})";
  const auto bad = [&](std::string_view from, std::string_view to) {
    std::string out = reserved;
    out.replace(out.find(from), from.size(), to);
    return "[" + out + "]";
  };
  check_texts({{"[" + reserved + "," + made + "]", "[" + reserved + "," + made + "]"},
               {"", "[]"},
               {"null", "[]"},
               {"[]", "[]"},
               {"[" + reserved + "," + reserved + "]", "ERROR entry 1~second one~GPU-7f"},
               {bad("\"size\":4", "\"size\":0"), "ERROR entry 0~size 0"},
               {bad("GPU-7f", ""), "ERROR entry 0~empty gpuUUID"},
               {bad("3g.71gb", ""), "ERROR entry 0~profile"},
               {bad("\"deviceIndex\":1", "\"deviceIndex\":-1"), "ERROR entry 0~deviceIndex~-1"},
               {bad("\"placement\":{\"start\":4,\"size\":4}", "\"placement\":4"), "ERROR entry 0~placement"},
               {bad("\"start\":4", "\"start\":\"4\""), "ERROR entry 0.placement~start"},
               {bad("3g.71gb\"", "3g.71gb\",\"gpuInstanceID\":1"), "ERROR entry 0~only some of"},
               {"[1]", "ERROR entry 0 is not an object: '1'"},
               {"{}", "ERROR not an array: '{}'"},
               {"[{\"a\":}]", "ERROR line 1, column 7~'}]'"},
               {"[{},", "ERROR line 1~at the end"}},
              [](const std::string& text) {
                return error_or<std::vector<MigAllocation>>(parse_mig_allocations(text),
                                                            encode_mig_allocations);
              });
  for (const char* id : {"GPU-7f[0-0]", "GPU-7f[12-345]"})
    EXPECT_EQ(encode_mig_slot(parse_mig_slot(id).value()), id);
  EXPECT_EQ(encode_volcano_mig_slot(parse_volcano_mig_slot("GPU-7f[g-5]").value()), "GPU-7f[g-5]");
  for (const char* id :
       {"GPU-7f", "GPU-7f[]", "GPU-7f[-]", "GPU-7f[1-]", "GPU-7f[1-4294967296]", "GPU-7f]1-0["}) {
    const auto got = parse_mig_slot(id);
    ASSERT_FALSE(got) << id;
    EXPECT_THAT(got.error().message, HasSubstr(id));
  }
}

TEST(GrammarVectors, AscendsListBesideTheGroups) {
  check_texts(
      {{R"([{"UUID":"A-1","temp":"vir05_1c_16g","memory":16384,"core":5},{"UUID":"A-2","memory":5000}])",
        R"([{"UUID":"A-1","temp":"vir05_1c_16g","memory":16384,"core":5},{"UUID":"A-2","memory":5000}])"},
       {" null ", "null"},
       {"[]", "null"},
       {R"([{"temp":"vir02"}])", "ERROR entry 0~UUID~vir02"},
       {R"([{"UUID":""}])", "ERROR entry 0~empty UUID"},
       {R"([{"UUID":"A-1"},{"UUID":"A-2","memory":-1}])",
        "ERROR entry 1~memory~'{\"UUID\":\"A-2\",\"memory\":-1}'"},
       {R"([{"UUID":7}])", "ERROR entry 0~UUID"},
       {"A-1", "ERROR line 1, column 1~'A-1'"}},
      [](const std::string& text) {
        return error_or<std::vector<AscendShare>>(parse_ascend_shares(text), encode_ascend_shares);
      });
  check_texts(
      {{"3-vir04", "3-vir04"},
       {"0,1,7", "0,1,7"},
       {"3-vir05_1c_8g", "3-vir05_1c_8g"},
       {"", "ERROR part 0~''"},
       {"0,1-vir04", "ERROR one card~'0,1-vir04'"},
       {"3-", "ERROR template~'3-'"},
       {"0,x", "ERROR part 1: 'x'~'0,x'"}},
      [](const std::string& text) { return error_or<NpuCore>(parse_npu_core(text), encode_npu_core); });
  check_texts({{"Ascend310P-0,Ascend310P-3", "Ascend310P-0,Ascend310P-3"},
               {"Ascend310P-0,Ascend910-3", "ERROR part 1: 'Ascend910-3'"},
               {"Ascend310P-", "ERROR part 0"}},
              [](const std::string& text) {
                return error_or<std::vector<std::uint32_t>>(
                    parse_ascend_names(text, "Ascend310P"),
                    [](const auto& minors) { return encode_ascend_names(minors, "Ascend310P"); });
              });
}

TEST(GrammarVectors, CambriconsProfiles) {
  check_texts({{"3_50_16", "3_50_16"},
               {"0_100_0", "0_100_0"},
               {"3_50", "ERROR 2 parts instead of 3 in '3_50'"},
               {"3_50_16_1", "ERROR 4 parts"},
               {"3_x_16", "ERROR part 1: 'x'"},
               {"-3_50_16", "ERROR part 0: '-3'"}},
              [](const std::string& text) {
                return error_or<MluProfile>(parse_mlu_profile(text), encode_mlu_profile);
              });
  check_texts({{"1_257_2_5", "1_257_2_5"}, {"1_257_2", "ERROR 3 parts instead of 4"}},
              [](const std::string& text) {
                return error_or<MluInstance>(parse_mlu_instance(text), encode_mlu_instance);
              });
}

TEST(GrammarVectors, MetaxListsOneOfEachContainer) {
  check_texts({{R"([[{"uuid":"M-1","compute":50,"vRam":16384}],[]])",
                R"([[{"uuid":"M-1","compute":50,"vRam":16384}],[]])"},
               {R"([null,[{"uuid":"M-1"}]])", R"([[],[{"uuid":"M-1","compute":0,"vRam":0}]])"},
               {"null", "[]"},
               {R"([{"uuid":"M-1"}])", "ERROR container 0~not an array"},
               {R"([[],[{"compute":1}]])", "ERROR container 1: entry 0~uuid~compute"},
               {R"([[{"uuid":"M-1","compute":"50"}]])", "ERROR container 0: entry 0~compute"}},
              [](const std::string& text) {
                return error_or<std::vector<std::vector<MetaxShare>>>(parse_metax_shares(text),
                                                                      encode_metax_shares);
              });
}

TEST(GrammarVectors, EnflamesContainersHaveNames) {
  const std::string written =
      R"({"train":{"allocated":true,"request":3,"profileID":"4","profileName":"3g.24gb","instanceID":"1","instanceUUID":"I-9"}})";
  check_texts({{written, written},
               {R"({"a":{"request":1},"b":{"allocated":false,"request":2}})",
                R"({"a":{"allocated":false,"request":1},"b":{"allocated":false,"request":2}})"},
               {"null", "{}"},
               {R"({"a":{"allocated":"yes"}})", "ERROR container 'a'~allocated~yes"},
               {R"({"a":{"request":-3}})", "ERROR container 'a'~request~-3"},
               {R"({"a":3})", "ERROR container 'a' is not an object: '3'"},
               {"[]", "ERROR not an object: '[]'"}},
              [](const std::string& text) {
                return error_or<std::map<std::string, GcuAssignment>>(parse_assigned_containers(text),
                                                                      encode_assigned_containers);
              });
}

TEST(GrammarVectors, AmdsComputeUnits) {
  check_texts(
      {{R"({"u-1":"0-75,80","u-2":"3"})", R"({"u-1":"0-75,80","u-2":"3"})"},
       {"{}", "{}"},
       {R"({"u-1":"75-0"})", "ERROR '75-0'~'u-1'"},
       {R"({"u-1":"0-"})", "ERROR '0-'"},
       {R"({"u-1":""})", "ERROR bad units ''"},
       {R"({"u-1":[0]})", "ERROR u-1"}},
      [](const std::string& text) { return error_or<CuLists>(parse_cu_lists(text), encode_cu_lists); });
}

TEST(GrammarVectors, KoordinatorsListIsThePods) {
  const auto group = [](const std::string& json) -> std::string {
    const auto devices = parse_koordinator(json);
    if (!devices) return text::cat({"ERROR ", devices.error().message});
    EXPECT_EQ(parse_koordinator(encode_koordinator(*devices)).value(), *devices) << json;
    const auto got = koordinator_group(*devices, "gpu");
    return got ? text_of({*got}) : text::cat({"ERROR ", got.error().message});
  };
  check_texts(
      {{R"({"gpu":[{"minor":3,"resources":{"koordinator.sh/gpu-core":"25","koordinator.sh/gpu-memory":"4Gi","koordinator.sh/gpu-memory-ratio":"25"}}]})",
        "[3/gpu/4096/25]"},
       {R"({"gpu":[{"minor":0,"id":"GPU-7f","resources":{"koordinator.sh/gpu-core":100,"koordinator.sh/gpu-memory":"85899345920","koordinator.sh/gpu-memory-ratio":100}},{"minor":1}]})",
        "[GPU-7f/gpu/2147483647/100 1/gpu/2147483647/100]"},
       {R"({"gpu":[{"minor":2,"resources":{"koordinator.sh/gpu-memory":"8Gi","koordinator.sh/gpu-memory-ratio":"50"}}]})",
        "[2/gpu/8192/0]"},
       {R"({"rdma":[{"minor":1,"extension":{"vfs":[{"minor":2,"busID":"0000:3b:00.2"}]}}]})", "[]"},
       {"null", "[]"},
       {"{}", "[]"},
       {R"({"gpu":[{"minor":2,"resources":{"koordinator.sh/gpu-memory-ratio":"50"}}]})",
        "ERROR gpu '2' is shared~gpu-memory"},
       {R"({"gpu":[{"minor":"2"}]})", "ERROR device-allocated: gpu: entry 0~minor~'{\"minor\":\"2\"}'"},
       {R"({"gpu":[{"minor":2},{"minor":4294967296}]})", "ERROR entry 1~minor"},
       {R"({"gpu":[{"minor":2,"resources":{"koordinator.sh/gpu-core":"25%"}}]})",
        "ERROR entry 0~bad koordinator.sh/gpu-core '25%'"},
       {R"({"gpu":[{"minor":2,"resources":{"koordinator.sh/gpu-memory":"4Q"}}]})",
        "ERROR bad koordinator.sh/gpu-memory '4Q'"},
       {R"({"gpu":{}})", "ERROR gpu: not an array: '{}'"},
       {R"({"gpu":[],"gpu":[]})", "ERROR line 1~duplicate"},
       {R"({"gpu":[{"minor":1}})", "ERROR line 1, column 20"}},
      group);
}

TEST(GrammarVectors, GpuManagersBlocksAndWholeCards) {
  const auto groups = [](const Annotations& annotations) -> std::string {
    const auto got = gpu_manager_groups(annotations);
    return got ? text_of(*got) : text::cat({"ERROR ", got.error().message});
  };
  constexpr const char* kCore = "tencent.com/vcuda-core";
  constexpr const char* kMemory = "tencent.com/vcuda-memory";
  const std::string first = "tencent.com/predicate-gpu-idx-0";
  check({{"1 block", {{kCore, "1"}, {kMemory, "1"}, {first, "7"}}, "[7/gpu/256/1]"},
         {"99 percent", {{kCore, "99"}, {kMemory, "63"}, {first, "0"}}, "[0/gpu/16128/99]"},
         {"100 is a whole card, whatever its memory",
          {{kCore, "100"}, {kMemory, "8"}, {first, "2"}},
          "[2/gpu/2147483647/100]"},
         {"300 are three",
          {{kCore, "300"}, {first, "0,1,2"}},
          "[0/gpu/2147483647/100 1/gpu/2147483647/100 2/gpu/2147483647/100]"},
         {"the tenth container is behind the ninth",
          {{kCore, "10"},
           {kMemory, "4"},
           {"tencent.com/predicate-gpu-idx-10", "1"},
           {"tencent.com/predicate-gpu-idx-9", "0"}},
          "[0/gpu/1024/10][1/gpu/1024/10]"},
         {"101", {{kCore, "101"}, {first, "0"}}, "ERROR vcuda-core'~'101'~multiple of 100"},
         {"a blank in the list", {{kCore, "10"}, {first, "0, 1"}}, "ERROR idx-0'~' 1'~part 1 of '0, 1'"},
         {"an empty list", {{kCore, "10"}, {first, ""}}, "ERROR idx-0'~''~part 0"},
         {"a card that no node has", {{kCore, "10"}, {first, "1024"}}, "ERROR idx-0'~'1024'"},
         {"a unit", {{kCore, "10"}, {kMemory, "4Gi"}, {first, "0"}}, "ERROR vcuda-memory'~'4Gi'"},
         {"a container's name", {{"tencent.com/predicate-gpu-idx-main", "0"}}, "ERROR idx-main'~'main'"}},
        groups);
}

TEST(GrammarVectors, SharesOfKaiAndMps) {
  EXPECT_EQ(kai_memory("1", Bytes::mib(24576)).value(), Bytes::mib(245)) << "one hundredth is the least";
  EXPECT_EQ(kai_memory("24576", Bytes::mib(24576)).value(), Bytes::mib(24576));
  EXPECT_EQ(kai_fraction("0.333", Bytes::mib(10000)).value(), Bytes::mib(3400));
  EXPECT_EQ(kai_fraction("0.330", Bytes::mib(10000)).value(), Bytes::mib(3300));
  EXPECT_THAT(kai_memory("1.5", Bytes::mib(10)).error().message, HasSubstr("'gpu-memory': '1.5'"));
  EXPECT_THAT(kai_fraction("1.5", Bytes::mib(10)).error().message, HasSubstr("'gpu-fraction': '1.5'"));
  EXPECT_EQ(encode_mps_memory(mps_share(Bytes::mib(81559), 7)->memory), "11651M");
  EXPECT_EQ(mps_share(Bytes::mib(81559), 7)->threads, Percent{14});
  EXPECT_EQ(mps_share(Bytes::mib(81559), 48)->threads, Percent{2});
  EXPECT_FALSE(mps_share(Bytes::mib(81559), 49));
}

TEST(GrammarVectors, ReplicasOfTimeSlicing) {
  EXPECT_EQ(parse_kubelet_device("GPU-7f::0", false), (KubeletDevice{"GPU-7f", 0}));
  EXPECT_EQ(parse_kubelet_device("MIG-1/2::11", false), (KubeletDevice{"MIG-1/2", 11}));
  EXPECT_EQ(parse_kubelet_device("GPU-7f::", false), (KubeletDevice{"GPU-7f::", std::nullopt}));
  EXPECT_EQ(parse_kubelet_device("GPU-7f::x", false), (KubeletDevice{"GPU-7f::x", std::nullopt}));
  EXPECT_EQ(parse_kubelet_device("GPU-7f-9", true), (KubeletDevice{"GPU-7f", 9}));
}

TEST(GrammarVectors, DevicesOfResourceClaims) {
  const auto device = [](const std::string& text) -> std::string {
    const auto names = parse_cdi_names(text);
    if (!names) return text::cat({"ERROR ", names.error().message});
    const auto got = parse_dra_device(names->front());
    if (!got) return text::cat({"ERROR ", got.error().message});
    if (!*got) return "none";
    EXPECT_EQ(encode_cdi_names({encode_dra_device(**got)}), text);
    const char* kinds[] = {"gpu", "shared", "mig", "vfio"};
    return text::cat(
        {(*got)->claim, " ", kinds[static_cast<int>((*got)->kind)], " ", text::number((*got)->minor)});
  };
  check_texts({{"k8s.gpu.nvidia.com/device=gpu-3", " gpu 3"},
               {"k8s.gpu.nvidia.com/claim=6f1c-22-gpu-0", "6f1c-22 gpu 0"},
               {"k8s.gpu.nvidia.com/device=gpu-1-mig-19-4-1", " mig 1"},
               {"k8s.gpu.nvidia.com/claim=6f1c-gpu-1-mig-9-0-4", "6f1c mig 1"},
               {"k8s.gpu.nvidia.com/device=gpu-vfio-2", " vfio 2"},
               {"k8s.hami-core-gpu.project-hami.io/claim=6f1c-22-hami-gpu-5", "6f1c-22 shared 5"},
               {"k8s.hami-core-gpu.project-hami.io/device=hami-gpu-5", " shared 5"},
               {"k8s.gpu.nvidia.com/other=gpu-3", "none"},
               {"k8s.device-plugin.nvidia.com/gpu=GPU-7f", "none"},
               {"k8s.gpu.nvidia.com/device=card3", "ERROR 'k8s.gpu.nvidia.com/device=card3'~gpu.nvidia.com"},
               {"k8s.gpu.nvidia.com/device=gpu-x", "ERROR device=gpu-x"},
               {"k8s.gpu.nvidia.com/device=gpu-1-mig-19-4", "ERROR mig-19-4"},
               {"k8s.gpu.nvidia.com/device=gpu-1-mig-19-4-0", "ERROR mig-19-4-0"},
               {"k8s.gpu.nvidia.com/claim=gpu-0", "ERROR claim=gpu-0"},
               {"k8s.gpu.nvidia.com/claim=6f1cgpu-0", "ERROR claim=6f1cgpu-0"}},
              device);
  EXPECT_EQ(claim_of_directory("/usr/local/vgpu/claims/6f1c-22"), "6f1c-22");
  EXPECT_EQ(claim_of_directory("/usr/local/vgpu/claims/6f1c-22/x.cache"), "");
  EXPECT_EQ(claim_of_directory("/usr/local/vgpu"), "");
}

}  // namespace
}  // namespace hami::schedulers
