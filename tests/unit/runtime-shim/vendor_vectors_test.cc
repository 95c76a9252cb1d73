// What resource names mean for the vendors whose recipes are shipped, as a table: amounts held, or the
// refusal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "runtime-shim/allocation.h"
#include "tests/unit/runtime-shim/fixtures.h"
#include "vendors/recipe_yaml.h"
#include "vendors/render.h"

namespace hami::shim {
namespace {

using ::testing::HasSubstr;

const std::vector<vendors::Recipe>& shipped() {
  static const auto recipes = vendors::load_recipes({HAMI_SOURCE_DIR "/vendors"}).value();
  return recipes;
}

VendorNode node_of(const std::string& vendor, const std::string& model, Bytes memory,
                   std::uint64_t parts = 0) {
  VendorNode node;
  for (const vendors::Recipe& recipe : shipped()) {
    if (recipe.metadata.name == vendor) node.recipe = recipe;
  }
  EXPECT_EQ(node.recipe.metadata.name, vendor);
  node.inventory = testing::inventory(4, memory);
  node.inventory.vendor = vendor;
  for (vendors::Device& device : node.inventory.devices) {
    device.vendor = vendor;
    device.model = model;
    if (parts != 0) device.fields["cu_count"] = text::number(parts);
  }
  return node;
}

// "<devices>x<MiB held>,<cores held>[ slice <MiB limit>,<core limit>][ <template>]", or "ERROR <message>".
std::string answer(const VendorNode& node, const std::map<std::string, std::string>& words) {
  const auto request = parse_request(testing::annotated(words), {node.recipe}, Policy{});
  if (!request) return text::cat({"ERROR ", request.error().line()});
  if (!*request) return "nothing";
  const auto got = allocate(**request, {node}, {}, Policy{});
  if (!got) return text::cat({"ERROR ", got.error().line()});
  const auto& grants = got->vendors[0].grants;
  const Grant& first = grants.front();
  std::string out =
      text::cat({text::number(grants.size()), "x", text::number(first.holding.memory.whole_mib()), ",",
                 text::number(first.holding.cores.value)});
  if (first.is_slice()) {
    out += text::cat(
        {" slice ", text::number(first.memory_limit.whole_mib()), ",", text::number(first.core_limit.value)});
  }
  const auto* entry =
      vendors::template_of(node.recipe.slice, node.inventory.devices[first.device], first.memory_limit);
  return entry == nullptr || first.mode ? out : text::cat({out, " ", entry->name});
}

struct Row {
  const char* id;
  std::map<std::string, std::string> words;
  std::string expected;  // whole, or a part of an ERROR
};

void check(const VendorNode& node, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const std::string got = answer(node, row.words);
    if (row.expected.starts_with("ERROR ")) {
      EXPECT_THAT(got, ::testing::StartsWith("ERROR ")) << row.id;
      EXPECT_THAT(got, HasSubstr(row.expected.substr(6))) << row.id;
    } else {
      EXPECT_EQ(got, row.expected) << row.id;
    }
  }
}

TEST(VendorVectors, Hygon) {
  const VendorNode node = node_of("hygon", "DCU-Z100", Bytes::mib(16368), 60);
  check(node,
        {{"T62",
          {{"hygon.com/dcunum", "1"}, {"hygon.com/dcumem", "2000"}, {"hygon.com/dcucores", "60"}},
          "1x2000,60 slice 2000,60"},
         {"T63: all of the memory, so nobody else is on the card",
          {{"hygon.com/dcunum", "1"}, {"hygon.com/dcucores", "50"}},
          "1x16368,50 slice 0,50"},
         {"several are whole", {{"hygon.com/dcunum", "2"}, {"hygon.com/dcumem", "2000"}}, "2x16368,100"}});
  const auto request = parse_request(
      testing::annotated(
          {{"hygon.com/dcunum", "1"}, {"hygon.com/dcumem", "2000"}, {"hygon.com/dcucores", "60"}}),
      {node.recipe}, Policy{});
  const auto got = allocate(**request, {node}, {}, Policy{});
  ASSERT_TRUE(got) << got.error().line();
  EXPECT_EQ(list_parts(got->vendors[0].grants[0].holding.parts), "0-35") << "T62: 36 compute units";
}

TEST(VendorVectors, Amd) {
  const auto cores = [](const char* amount) {
    return std::map<std::string, std::string>{
        {"amd.com/gpu", "1"}, {"amd.com/gpumem", "49152"}, {"amd.com/gpucores", amount}};
  };
  check(
      node_of("amd", "MI300X", Bytes::mib(196608), 304),
      {{"T78", cores("25"), "1x49152,25 slice 49152,25"},
       {"all of the cores", cores("100"), "1x49152,100 slice 49152,0"},
       {"none of the cores", cores("0"), "ERROR is not a whole number of percent of the cores from 1 to 100"},
       {"more than all", cores("101"), "ERROR is not a whole number of percent of the cores from 1 to 100"}});
}

TEST(VendorVectors, ComputeUnitsOfLargeCards) {
  const VendorNode node = node_of("amd", "MI300X", Bytes::mib(196608), 304);
  const auto request = parse_request(
      testing::annotated({{"amd.com/gpu", "1"}, {"amd.com/gpumem", "2000"}, {"amd.com/gpucores", "60"}}),
      {node.recipe}, Policy{});
  const auto first = allocate(**request, {node}, {}, Policy{});
  ASSERT_TRUE(first) << first.error().line();
  EXPECT_EQ(list_parts(first->vendors[0].grants[0].holding.parts), "0-181");
  state::Lease lease;
  lease.holdings = {first->vendors[0].grants[0].holding};
  const auto asked = parse_request(testing::annotated({{"amd.com/gpu", "1"},
                                                       {"amd.com/gpumem", "2000"},
                                                       {"amd.com/gpucores", "40"},
                                                       {"amd.com/use-gpuuuid", lease.holdings[0].device}}),
                                   {node.recipe}, Policy{});
  const auto second = allocate(**asked, {node}, {lease}, Policy{});
  ASSERT_TRUE(second) << second.error().line();
  EXPECT_EQ(list_parts(second->vendors[0].grants[0].holding.parts), "182-302");
}

TEST(VendorVectors, AscendTemplates) {
  check(node_of("ascend", "310P3", Bytes::mib(24576)),
        {{"T64",
          {{"huawei.com/Ascend310P", "1"}, {"huawei.com/Ascend310P-memory", "4096"}},
          "1x6144,25 slice 6144,25 vir02"},
         {"nothing is the smallest",
          {{"huawei.com/Ascend310P", "1"}, {"huawei.com/Ascend310P-memory", "0"}},
          "1x3072,12 slice 3072,12 vir01"},
         {"another chip",
          {{"huawei.com/Ascend910B3", "1"}},
          "ERROR of model 910B3, but this node has device 0 ("},
         {"T65", {{"huawei.com/Ascend310P", "1"}, {"huawei.com/Ascend310P-memory", "13000"}}, "1x24576,100"},
         {"T65",
          {{"huawei.com/Ascend310P", "1"}, {"huawei.com/Ascend310P-memory", "25000"}},
          "ERROR not enough memory"}});
  check(node_of("ascend", "910B3", Bytes::mib(65536)),
        {{"T66",
          {{"huawei.com/Ascend910B3", "2"}, {"huawei.com/Ascend910B3-memory", "16384"}},
          "ERROR a slice of one only"},
         {"two whole ones", {{"huawei.com/Ascend910B3", "2"}}, "2x65536,100"}});
  check(node_of("ascend", "Ascend910", Bytes::mib(65536)),
        {{"T67", {{"huawei.com/Ascend910C", "1"}}, "2x65536,100"},
         {"T67", {{"huawei.com/Ascend910C", "3"}}, "ERROR in groups of 2"}});
}

TEST(VendorVectors, AscendSoftSplit) {
  const std::map<std::string, std::string> part{{"huawei.com/Ascend910B4", "1"},
                                                {"huawei.com/Ascend910B4-memory", "5000"},
                                                {"huawei.com/Ascend910B4-core", "20"},
                                                {"huawei.com/vnpu-mode", "hami-core"}};
  auto two = part;
  two["huawei.com/Ascend910B4"] = "2";
  auto nothing = part;
  nothing["huawei.com/Ascend910B4-memory"] = "0";
  check(node_of("ascend", "910B4", Bytes::mib(32768)),
        {{"T68", part, "1x5000,20 slice 5000,20"},
         {"several", two, "2x5000,20 slice 5000,20"},
         {"nothing is no part of any size", nothing, "ERROR is not a whole number of MiB from 1"},
         {"T69", {{"huawei.com/Ascend910B4-core", "20"}}, "ERROR huawei.com/vnpu-mode: hami-core"},
         {"T69",
          {{"huawei.com/Ascend910B4", "1"},
           {"huawei.com/Ascend910B4-memory", "8192"},
           {"huawei.com/Ascend910B4-core", "20"}},
          "ERROR annotation 'huawei.com/Ascend910B4-core' asks for a part of the cores"}});
}

TEST(VendorVectors, Iluvatar) {
  check(node_of("iluvatar", "MR-V100", Bytes::mib(32768)),
        {{"T70",
          {{"iluvatar.ai/MR-V100-vgpu", "1"},
           {"iluvatar.ai/MR-V100.vMem", "64"},
           {"iluvatar.ai/MR-V100.vCore", "50"}},
          "1x16384,50 slice 16384,50"},
         {"names of older releases",
          {{"iluvatar.ai/vgpu", "1"}, {"iluvatar.ai/vcuda-memory", "4"}, {"iluvatar.ai/vcuda-core", "20"}},
          "1x1024,20 slice 1024,20"},
         {"no cores",
          {{"iluvatar.ai/MR-V100-vgpu", "1"}, {"iluvatar.ai/MR-V100.vMem", "4"}},
          "1x1024,0 slice 1024,0"}});
}

TEST(VendorVectors, Metax) {
  check(
      node_of("metax", "MXC500", Bytes::mib(65536)),
      {{"T71", {{"metax-tech.com/sgpu", "1"}, {"metax-tech.com/vmemory", "16"}}, "1x16384,100 slice 16384,0"},
       {"T71",
        {{"metax-tech.com/sgpu", "1"}, {"metax-tech.com/vmemory", "16Gi"}},
        "1x16384,100 slice 16384,0"},
       {"T71", {{"metax-tech.com/sgpu", "1"}}, "1x65536,100"},
       {"powers of ten",
        {{"metax-tech.com/sgpu", "1"}, {"metax-tech.com/vmemory", "16G"}},
        "1x15258,100 slice 15258,0"},
       {"no quantity", {{"metax-tech.com/sgpu", "1"}, {"metax-tech.com/vmemory", "16GiB"}}, "ERROR '16GiB'"},
       {"canonical", {{"metax-tech.com/sgpu", "1"}, {"metax-tech.com/vmemory", "1k"}}, "ERROR 1k"}});
}

TEST(VendorVectors, EnflameProfiles) {
  check(node_of("enflame", "S60", Bytes::mib(49152)),
        {{"T76",
          {{"enflame.com/gcu", "1"}, {"enflame.com/gcu-memory", "20"}},
          "1x24576,50 slice 24576,50 3g.24gb"},
         {"T77",
          {{"enflame.com/gcu", "1"}, {"enflame.com/gcu-memory", "20480"}},
          "1x24576,50 slice 24576,50 3g.24gb"},
         {"MiB are rounded up to whole GiB",
          {{"enflame.com/gcu", "1"}, {"enflame.com/gcu-memory", "8193"}},
          "1x16384,34 slice 16384,34 2g.16gb"},
         {"twice the largest is still in GiB",
          {{"enflame.com/gcu", "1"}, {"enflame.com/gcu-memory", "96"}},
          "ERROR not enough memory"},
         {"by cores",
          {{"enflame.com/gcu", "1"}, {"enflame.com/gcu-core", "33"}},
          "1x16384,34 slice 16384,34 2g.16gb"},
         {"by both",
          {{"enflame.com/gcu", "1"}, {"enflame.com/gcu-memory", "8"}, {"enflame.com/gcu-core", "40"}},
          "1x24576,50 slice 24576,50 3g.24gb"},
         {"more cores than a card has",
          {{"enflame.com/gcu", "1"}, {"enflame.com/gcu-core", "101"}},
          "ERROR is not a whole number of percent of the cores from 1 to 100"},
         {"by its number", {{"enflame.com/drs-gcu", "2"}}, "1x16384,34 slice 16384,34 2g.16gb"},
         {"no such number", {{"enflame.com/drs-gcu", "4"}}, "ERROR its sizes are 1, 2, 3, 6"},
         {"the largest is the card", {{"enflame.com/drs-gcu", "6"}}, "1x49152,100 slice 49152,0 6g.48gb"}});
}

TEST(VendorVectors, MooreThreads) {
  check(node_of("mthreads", "MTT S4000", Bytes::mib(49152)),
        {{"T72",
          {{"mthreads.com/vgpu", "1"}, {"mthreads.com/sgpu-memory", "32"}, {"mthreads.com/sgpu-core", "8"}},
          "1x16384,50 slice 16384,50"},
         {"T73", {{"mthreads.com/vgpu", "1"}, {"mthreads.com/sgpu-memory", "3"}}, "ERROR memory is given as"},
         {"T74", {{"mthreads.com/vgpu", "2"}}, "2x49152,100"}});
}

// With each vendor's words one of the devices is chosen, or kept out.
TEST(VendorVectors, WhichDevicesMayBeChosen) {
  const struct {
    const char* vendor;
    const char* model;
    const char* count;
    const char* use;
    const char* nouse;
  } rows[] = {
      {"nvidia", "A100", "nvidia.com/gpu", "nvidia.com/use-gpuuuid", "nvidia.com/nouse-gpuuuid"},
      {"nvidia", "A100", "volcano.sh/vgpu-number", "volcano.sh/vgpu-use-gpuuuid",
       "volcano.sh/vgpu-nouse-gpuuuid"},
      {"cambricon", "MLU370", "cambricon.com/vmlu", "cambricon.com/use-gpuuuid",
       "cambricon.com/nouse-gpuuuid"},
      {"hygon", "Z100", "hygon.com/dcunum", "hygon.com/use-gpuuuid", "hygon.com/nouse-gpuuuid"},
      {"ascend", "910B3", "huawei.com/Ascend910B3", "hami.io/use-Ascend910B3-uuid",
       "hami.io/no-use-Ascend910B3-uuid"},
      {"ascend", "310P3", "huawei.com/Ascend310P", "hami.io/use-Ascend310P-uuid",
       "hami.io/no-use-Ascend310P-uuid"},
      {"iluvatar", "MR-V100", "iluvatar.ai/MR-V100-vgpu", "hami.io/use-MR-V100-uuid",
       "hami.io/no-use-MR-V100-uuid"},
      {"kunlunxin", "P800", "kunlunxin.com/xpu", "baidu.com/use-gpuuuid", "baidu.com/nouse-gpuuuid"},
      {"kunlunxin", "P800", "kunlunxin.com/vxpu", "hami.io/use-xpu-uuid", "hami.io/no-use-xpu-uuid"},
      {"metax", "C500", "metax-tech.com/gpu", "metax-tech.com/use-gpuuuid", "metax-tech.com/nouse-gpuuuid"},
      {"mthreads", "S4000", "mthreads.com/vgpu", "mthreads.ai/use-gpuuuid", "mthreads.ai/nouse-gpuuuid"},
      {"enflame", "S60", "enflame.com/gcu", "enflame.com/use-gpuuuid", "enflame.com/nouse-gpuuuid"},
      {"amd", "MI300X", "amd.com/gpu", "amd.com/use-gpu-uuid", "amd.com/nouse-gpu-uuid"},
      {"neuron", "trn1", "aws.amazon.com/neuron", "aws.amazon.com/use-neuron-uuid",
       "aws.amazon.com/nouse-neuron-uuid"},
      {"vastai", "VA1", "vastaitech.com/va", "vastaitech.com/use-gpuuuid", "vastaitech.com/nouse-gpuuuid"},
      {"biren", "BR104", "birentech.com/gpu", "birentech.com/use-gpuuuid", "birentech.com/nouse-gpuuuid"},
  };
  for (const auto& row : rows) {
    const VendorNode node = node_of(row.vendor, row.model, Bytes::mib(65536));
    const auto chosen = [&](const char* key, const char* uuid) -> std::string {
      const auto request =
          parse_request(testing::annotated({{row.count, "1"}, {key, uuid}}), {node.recipe}, Policy{});
      if (!request || !*request) return "no request";
      const auto got = allocate(**request, {node}, {}, Policy{});
      return got ? got->vendors[0].grants.at(0).uuid : got.error().line();
    };
    for (const char* uuid : {"GPU-0", "GPU-1"}) EXPECT_EQ(chosen(row.use, uuid), uuid) << row.use;
    EXPECT_EQ(chosen(row.nouse, "GPU-0,GPU-2,GPU-3"), "GPU-1") << row.nouse;
    EXPECT_EQ(chosen(row.nouse, "GPU-1, GPU-2,GPU-3"), "GPU-0") << row.nouse;
  }
}

// The uuids given, or the refusal.
std::string chosen(const VendorNode& node, const std::map<std::string, std::string>& words) {
  const auto request = parse_request(testing::annotated(words), {node.recipe}, Policy{});
  if (!request) return request.error().line();
  if (!*request) return "no request";
  const auto got = allocate(**request, {node}, {}, Policy{});
  if (!got) return got.error().line();
  std::vector<std::string> out;
  for (const Grant& grant : got->vendors[0].grants) out.push_back(grant.uuid);
  return text::join(out, ",");
}

// A Pod may have a list for each chip; those of other chips say nothing about this one.
TEST(VendorVectors, ListsOfOneChipAreNotAboutAnother) {
  const VendorNode node = node_of("ascend", "910B3", Bytes::mib(65536));
  const std::map<std::string, std::string> lists{{"hami.io/use-Ascend910B3-uuid", "GPU-2"},
                                                 {"hami.io/use-Ascend310P-uuid", "GPU-1"},
                                                 {"hami.io/no-use-Ascend310P-uuid", "GPU-2"}};
  auto words = lists;
  words["huawei.com/Ascend910B3"] = "1";
  EXPECT_EQ(chosen(node, words), "GPU-2");
  words["hami.io/no-use-Ascend910B3-uuid"] = "GPU-2";
  EXPECT_THAT(chosen(node, words), HasSubstr("none is of an allowed model and uuid"));
  words["hami.io/use-ascend-uuid"] = "GPU-3";  // of every chip
  words.erase("hami.io/use-Ascend910B3-uuid");
  EXPECT_EQ(chosen(node, words), "GPU-3");
}

TEST(VendorVectors, WhichTypesMayBeChosen) {
  const struct {
    const char* vendor;
    const char* model;
    const char* count;
    const char* use;
    const char* nouse;
  } rows[] = {
      {"nvidia", "NVIDIA A100-SXM4-40GB", "nvidia.com/gpu", "nvidia.com/use-gputype",
       "nvidia.com/nouse-gputype"},
      {"cambricon", "MLU370-X8", "cambricon.com/vmlu", "cambricon.com/use-mlutype",
       "cambricon.com/nouse-mlutype"},
      {"hygon", "Z100", "hygon.com/dcunum", "hygon.com/use-dcutype", "hygon.com/nouse-dcutype"},
      {"hygon", "Z100", "hygon.com/dcunum", "hygon.com/use-hcutype", "hygon.com/nouse-hcutype"},
      {"iluvatar", "MR-V100", "iluvatar.ai/gpu", "iluvatar.ai/use-gputype", "iluvatar.ai/nouse-gputype"},
      {"amd", "AMD Instinct MI300X", "amd.com/gpu", "amd.com/use-gputype", "amd.com/nouse-gputype"},
      {"vastai", "VA1", "vastaitech.com/va", "vastaitech.com/use-va", "vastaitech.com/nouse-va"},
      {"biren", "BR104", "birentech.com/gpu", "birentech.com/use-biren", "birentech.com/nouse-biren"},
  };
  for (const auto& row : rows) {
    VendorNode node = node_of(row.vendor, "another", Bytes::mib(65536));
    node.inventory.devices[2].model = row.model;
    // The model's end: its beginning may be the vendor's name, which the other devices' types have too.
    const std::string model = text::lower(row.model);
    const auto type = model.substr(model.size() - std::min<std::size_t>(model.size(), 4));
    EXPECT_EQ(chosen(node, {{row.count, "1"}, {row.use, type}}), "GPU-2") << row.use;
    EXPECT_EQ(chosen(node, {{row.count, "1"}, {row.use, "other, ,anoth"}, {row.nouse, "x"}}), "GPU-0")
        << row.use;
    EXPECT_EQ(chosen(node, {{row.count, "1"}, {row.nouse, "ANOTHER"}}), "GPU-2") << row.nouse;
    EXPECT_EQ(chosen(node, {{row.count, "1"}, {row.nouse, ""}}), "GPU-0") << row.nouse;
  }
}

TEST(VendorVectors, GpuManager) {
  const VendorNode node = node_of("nvidia", "NVIDIA A100", Bytes::mib(40960));
  check(node, {{"T91",
                {{"tencent.com/vcuda-core", "30"}, {"tencent.com/vcuda-memory", "20"}},
                "1x5120,30 slice 5120,30"},
               {"bytes, as its plugin writes them",
                {{"tencent.com/vcuda-core", "30"}, {"tencent.com/vcuda-memory", "5368709120"}},
                "1x5120,30 slice 5120,30"},
               {"whole cards", {{"tencent.com/vcuda-core", "300"}}, "3x40960,100"},
               {"no card and a half", {{"tencent.com/vcuda-core", "150"}}, "ERROR nor a multiple"}});
}

TEST(VendorVectors, Volcano) {
  check(node_of("nvidia", "NVIDIA A100", Bytes::mib(40960)),
        {{"parts",
          {{"volcano.sh/vgpu-number", "2"},
           {"volcano.sh/vgpu-memory", "3000"},
           {"volcano.sh/vgpu-cores", "20"}},
          "2x3000,20 slice 3000,20"},
         {"percent",
          {{"volcano.sh/vgpu-number", "1"}, {"volcano.sh/vgpu-memory-percentage", "25"}},
          "1x10240,0 slice 10240,0"}});
}

}  // namespace
}  // namespace hami::shim
