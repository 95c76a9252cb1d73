#include "runtime-shim/schedulers/neighbours.h"

#include <gtest/gtest.h>

#include "oci-config/base/text.h"

namespace hami::schedulers {
namespace {

TEST(Koordinator, ReadsThePodsDevices) {
  const auto got = parse_koordinator(
      R"({"gpu":[{"minor":1,"resources":{"koordinator.sh/gpu-core":"50","koordinator.sh/gpu-memory":"16Gi",)"
      R"("koordinator.sh/gpu-memory-ratio":50}},{"minor":2,"id":"GPU-b"}],"rdma":null})");

  ASSERT_TRUE(got) << got.error().message;
  ASSERT_EQ(got->size(), 2U);
  EXPECT_EQ(got->at(0), (KoordinatorDevice{"gpu", 1, "", 50, Bytes{17179869184}, 50}));
  EXPECT_EQ(got->at(1).id, "GPU-b");
}

TEST(Koordinator, MemoryIsAKubernetesQuantity) {
  const auto memory = [](const char* written) {
    const auto got = parse_koordinator(
        text::cat({R"({"gpu":[{"minor":1,"resources":{"koordinator.sh/gpu-memory":")", written, R"("}}]})"}));
    return got ? got->at(0).memory->value : 0;
  };
  EXPECT_EQ(memory("8Gi"), std::uint64_t{8} << 30U);
  EXPECT_EQ(memory("8G"), 8'000'000'000U);
  EXPECT_EQ(memory("8e9"), 8'000'000'000U);
  EXPECT_EQ(memory("8000000k"), 8'000'000'000U);
}

TEST(Koordinator, RefusesWhatIsNotItsShape) {
  for (const char* json : {"[]", "{", R"({"gpu":[{}]})", R"({"gpu":{}})", R"({"gpu":[{"minor":-1}]})",
                           R"({"gpu":[{"minor":1,"resources":{"koordinator.sh/gpu-core":"a"}}]})",
                           R"({"gpu":[{"minor":1,"resources":{"koordinator.sh/gpu-memory":"3GiB"}}]})"}) {
    EXPECT_FALSE(parse_koordinator(json)) << json;
  }
}

TEST(GpuManager, ReadsSharesInItsOwnUnits) {
  const auto got = parse_gpu_manager({{"tencent.com/vcuda-core", "30"},
                                      {"tencent.com/vcuda-memory", "20"},
                                      {"tencent.com/predicate-gpu-idx-1", "0,3"}},
                                     1);

  ASSERT_TRUE(got);
  ASSERT_TRUE(got->has_value());
  EXPECT_EQ((*got)->memory.value, 5368709120U);
  EXPECT_EQ((*got)->minors, (std::vector<std::uint32_t>{0, 3}));
  EXPECT_FALSE((*got)->is_whole_cards());
}

TEST(GpuManager, KnowsWholeCardsAndRefusesOddShares) {
  EXPECT_TRUE((*parse_gpu_manager({{"tencent.com/vcuda-core", "200"}}, 0))->is_whole_cards());
  EXPECT_FALSE(parse_gpu_manager({{"tencent.com/vcuda-core", "150"}}, 0));
  EXPECT_FALSE(parse_gpu_manager({{"tencent.com/vcuda-core", "-1"}}, 0));
  EXPECT_FALSE(parse_gpu_manager({{"tencent.com/predicate-gpu-idx-0", "1,x"}}, 0));
  EXPECT_FALSE(parse_gpu_manager({{"other", "1"}}, 0)->has_value());
}

TEST(GpuManager, TakesTheBytesThatItsPluginWritesForWhatTheyAre) {
  const std::map<std::string, std::string> answered{{"tencent.com/vcuda-core", "30"},
                                                    {"tencent.com/vcuda-memory", "5368709120"}};
  EXPECT_EQ((*parse_gpu_manager(answered, 0))->memory, Bytes::mib(5120));
}

TEST(GpuManager, ContainersOfAPodAreGroupsByTheirIndex) {
  const auto got = gpu_manager_groups({{"tencent.com/vcuda-core", "30"},
                                       {"tencent.com/vcuda-memory", "20"},
                                       {"tencent.com/predicate-gpu-idx-10", "3"},
                                       {"tencent.com/predicate-gpu-idx-2", "1"}});
  EXPECT_EQ(got.value(), (std::vector<Group>{{{"1", "gpu", 5120, 30}}, {{"3", "gpu", 5120, 30}}}));
  EXPECT_EQ(
      gpu_manager_groups({{"tencent.com/vcuda-core", "200"}, {"tencent.com/predicate-gpu-idx-0", "0,1"}})
          .value(),
      (std::vector<Group>{{{"0", "gpu", kAllMemory, 100}, {"1", "gpu", kAllMemory, 100}}}));
  for (const char* key : {"x", "", "00", "01", "-1", "10001"})
    EXPECT_FALSE(gpu_manager_groups({{text::cat({"tencent.com/predicate-gpu-idx-", key}), "0"}})) << key;
  EXPECT_TRUE(gpu_manager_groups({{"tencent.com/vcuda-core", "30"}})->empty());
}

TEST(GpuManager, ReadsWhatItWrites) {
  const GpuManagerShare share{30, Bytes::mib(5120), {1, 2}};
  EXPECT_EQ(parse_gpu_manager(encode_gpu_manager(share, 3), 3).value(), share);
}

TEST(Koordinator, AllOfACardIsTheCardWithoutLimits) {
  const auto got = koordinator_group({{"gpu", 0, "GPU-a", 100, Bytes::mib(16384), 100}}, "gpu");
  EXPECT_EQ(got.value(), (Group{{"GPU-a", "gpu", kAllMemory, 100}}));
}

}  // namespace
}  // namespace hami::schedulers
