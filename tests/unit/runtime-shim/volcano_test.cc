// What is Volcano's alone: memory in blocks, and its names for cards.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "runtime-shim/pod/decision.h"
#include "runtime-shim/pod/scheduled.h"
#include "runtime-shim/request/request.h"
#include "tests/unit/runtime-shim/fixtures.h"

namespace hami::shim {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kKey = "volcano.sh/vgpu-ids-new";

Policy blocks(std::uint32_t mib) {
  Policy policy;
  policy.volcano_memory_factor = mib;
  return policy;
}

vendors::Recipe with_volcano() {
  vendors::Recipe out = recipe();
  vendors::ModelResources model;
  model.count = {"volcano.sh/vgpu-number"};
  model.memory.names = {"volcano.sh/vgpu-memory"};
  model.cores.names = {"volcano.sh/vgpu-cores"};
  out.resources.models = {model};
  return out;
}

// Memory of the devices in MiB, or the error.
std::vector<std::string> given(std::map<std::string, std::string> annotations, const std::string& limit,
                               const Policy& policy) {
  oci::ContainerView container =
      in_pod(with_env({{"NVIDIA_VISIBLE_DEVICES", "GPU-1"}, {"CUDA_DEVICE_MEMORY_LIMIT_0", limit}}), "c");
  container.annotations.merge(annotations);
  const auto request = parse_request(container, {with_volcano()}, policy);
  if (!request) return {request.error().line()};
  const auto got = resolve(*(*request)->vendors.at(0).scheduled, {recipe(), inventory(4)}, {});
  if (!got) return {got.error().line()};
  std::vector<std::string> out;
  for (const Given& one : got->decided.devices) out.push_back(text::number(one.memory->whole_mib()));
  return out;
}

TEST(Volcano, RecordsCountMemoryInBlocks) {
  EXPECT_THAT(given({{kKey, "GPU-1,NVIDIA,300,0:"}}, "3000m", blocks(10)), ElementsAre("3000"));
  EXPECT_THAT(given({{kKey, "GPU-1,NVIDIA,3000,0:"}}, "3000m", blocks(1)), ElementsAre("3000"));
  EXPECT_THAT(given({{"volcano.sh/devices-to-allocate", "GPU-1,NVIDIA,300,0:"}}, "3000m", blocks(10)),
              ElementsAre("3000"));
}

TEST(Volcano, OtherSchedulersCountMib) {
  EXPECT_THAT(given({{"hami.io/vgpu-devices-allocated", "GPU-1,NVIDIA,3000,0:;"}}, "3000m", blocks(10)),
              ElementsAre("3000"));
}

TEST(Volcano, MoreThanAnyDeviceHasIsRefusedWithTheDevice) {
  EXPECT_THAT(given({{kKey, "GPU-1,NVIDIA,2147483646,0:"}}, "3000m", blocks(10)),
              ElementsAre(AllOf(HasSubstr(kKey), HasSubstr("'GPU-1'"), HasSubstr("2147483646"),
                                HasSubstr("volcano_memory_factor"))));
}

TEST(Volcano, TheNameOfAPodLimitCountsBlocksToo) {
  const auto memory = [](const std::string& name, std::uint32_t factor) {
    const auto request = parse_request(annotated({{name, "300"}}), {with_volcano()}, blocks(factor));
    return (*request)->vendors.at(0).memory->value.whole_mib();
  };
  EXPECT_EQ(memory("volcano.sh/vgpu-memory", 10), 3000U);
  EXPECT_EQ(memory("volcano.sh/vgpu-memory", 1), 300U);
  EXPECT_EQ(memory("nvidia.com/gpumem", 10), 300U);
}

}  // namespace
}  // namespace hami::shim
