#include "runtime-shim/schedulers/records.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "runtime-shim/schedulers/keys.h"

namespace hami::schedulers {
namespace {

const DeviceRecord kA{"GPU-a", "NVIDIA", 3000, 30};
const DeviceRecord kB{"GPU-b", "NVIDIA", 5000, 0};
const DeviceRecord kPlaceholder{"", "", 0, 0};

struct Case {
  std::string_view value;
  std::vector<Group> groups;
};

TEST(DecodeGroups, ReadsEveryFormThatSchedulersWrite) {
  const Case cases[] = {
      {"GPU-a,NVIDIA,3000,30:;", {{kA}, {}}},
      {"GPU-a,NVIDIA,3000,30:GPU-b,NVIDIA,5000,0:;", {{kA, kB}, {}}},
      {"GPU-a,NVIDIA,3000,30:;GPU-b,NVIDIA,5000,0:;", {{kA}, {kB}, {}}},
      {";GPU-a,NVIDIA,3000,30:;", {{}, {kA}, {}}},
      {"GPU-a,NVIDIA,3000,30:;;GPU-b,NVIDIA,5000,0:;", {{kA}, {}, {kB}, {}}},
      {"", {{}}},
      {";", {{}, {}}},
      {";;;", {{}, {}, {}, {}}},
      {"GPU-a,NVIDIA,3000,30", {{kA}}},
      {"GPU-a,NVIDIA,3000,30:", {{kA}}},
      {"GPU-a,NVIDIA,3000,30::GPU-b,NVIDIA,1,2:;", {{kA, {"GPU-b", "NVIDIA", 1, 2}}, {}}},
      {"GPU-a,NVIDIA,3000,30,extra,more:;", {{kA}, {}}},
      {"GPU-a:;", {{}, {}}},
      {"GPU-a,NVIDIA,2147483647,0:;", {{{"GPU-a", "NVIDIA", 2147483647, 0}}, {}}},
      {"GPU-a,NVIDIA,-5,0:;", {{{"GPU-a", "NVIDIA", -5, 0}}, {}}},
      {"GPU-a,NVIDIA,+7,0:;", {{{"GPU-a", "NVIDIA", 7, 0}}, {}}},
      {",,0,0:;", {{kPlaceholder}, {}}},
      {"8eff74b5-0000-1000-801b-b56457addd1b,AMD Instinct MI300X VF,49152,76:;",
       {{{"8eff74b5-0000-1000-801b-b56457addd1b", "AMD Instinct MI300X VF", 49152, 76}}, {}}},
  };
  for (const Case& one : cases) {
    const auto got = decode_groups(one.value);
    ASSERT_TRUE(got) << one.value << ": " << got.error().message;
    EXPECT_EQ(*got, one.groups) << one.value;
  }
}

TEST(DecodeGroups, RefusesWhatOlderDecodersReadAsNoLimit) {
  for (const char* value :
       {"GPU-a,NVIDIA,3000:;", "GPU-a,NVIDIA,3000m,30:;", "GPU-a,NVIDIA,2147483648,0:;",
        "GPU-a,NVIDIA, 7,0:;", "GPU-a,NVIDIA,0x10,0:;", "GPU-a,NVIDIA,1000,0:;GPU-b,NVIDIA:;",
        "GPU-a,NVIDIA,1_000,0:;", "GPU-a,NVIDIA,,0:;", "GPU-a,NVIDIA,+-7,0:;", "GPU-a,NVIDIA,7,1.5:;"}) {
    EXPECT_FALSE(decode_groups(value)) << value;
  }
}

TEST(DecodeGroups, SaysWhichRecordAndWhy) {
  EXPECT_EQ(decode_groups("GPU-a,NVIDIA,1,0:;GPU-b,NVIDIA,3000m,30:;").error().message,
            "group 1, record 0: bad memory '3000m' in 'GPU-b,NVIDIA,3000m,30'");
}

TEST(EncodeGroups, WritesWhatTheSchedulersWrite) {
  EXPECT_EQ(encode_hami({{kA}, {}, {kB}}), "GPU-a,NVIDIA,3000,30:;;GPU-b,NVIDIA,5000,0:;");
  EXPECT_EQ(encode_hami({{}, {}, {}}), ";;;");
  EXPECT_EQ(encode_volcano({{kA}, {kB}}), "GPU-a,NVIDIA,3000,30:;GPU-b,NVIDIA,5000,0:");
}

TEST(EncodeGroups, RoundTripsRandomGroups) {
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    std::vector<Group> groups(random() % 5);
    for (Group& group : groups) {
      for (unsigned n = random() % 4; n > 0; --n) {
        group.push_back({"GPU-" + std::to_string(random()), "T " + std::to_string(random() % 9),
                         static_cast<std::int32_t>(random()), static_cast<std::int32_t>(random() % 200)});
      }
    }
    auto expected = groups;
    expected.emplace_back();  // behind the last ';'
    EXPECT_EQ(*decode_groups(encode_hami(groups)), expected);
  }
}

TEST(WithoutPadding, DropsPlaceholdersAndTheGroupOfTheFinalTerminator) {
  EXPECT_EQ(without_padding({{kA}, {kPlaceholder}, {}}), (std::vector<Group>{{kA}, {}}));
  EXPECT_EQ(without_padding({{kA}, {}}, false), (std::vector<Group>{{kA}, {}}));
}

TEST(PodAllocations, FindsTheVendorByItsKeyNotByTheTypeWord) {
  const auto got =
      pod_allocations({{"hami.io/amd-devices-allocated", "8eff,AMD Instinct MI300X VF,49152,76:;"},
                       {"hami.io/Ascend910B3-devices-allocated", "u,Ascend910B3,16384,0:;"},
                       {"hami.io/kunlun-allocated", "n-kunlun-0,kunlun,98304,100:;"},
                       {"hami.io/MR-V100-devices-allocated", "x,MR-V100,16384,50:;"},
                       {"hami.io/amd-devices-to-allocate", "broken,"},
                       {"hami.io/newvendor-devices-allocated", "y,New,1,2:;"},
                       {"volcano.sh/vgpu-ids-new", "GPU-a,NVIDIA,3000,30:"}});

  ASSERT_TRUE(got) << got.error().message;
  ASSERT_EQ(got->size(), 6U);
  EXPECT_EQ(got->at(0).vendor + " " + got->at(0).chip, "ascend Ascend910B3");
  EXPECT_EQ(got->at(1).vendor + " " + got->at(1).chip, "iluvatar MR-V100");
  EXPECT_EQ(got->at(2).vendor, "amd");
  EXPECT_EQ(got->at(3).vendor, "kunlunxin");
  EXPECT_EQ(got->at(4).vendor, "");
  EXPECT_EQ(got->at(5).scheduler, Scheduler::volcano);
}

TEST(PodAllocations, TheListThatAPluginWorksThroughCountsOnlyWithoutTheCompleteOne) {
  const std::string left = ";GPU-b,NVIDIA,5000,0:;;";
  const auto alone = pod_allocations({{"hami.io/vgpu-devices-to-allocate", left}});
  ASSERT_TRUE(alone);
  ASSERT_EQ(alone->size(), 1U);
  EXPECT_TRUE(alone->front().worked_through);
  EXPECT_EQ(alone->front().vendor, "nvidia");
  EXPECT_EQ(alone->front().groups, decode_groups(";GPU-b,NVIDIA,5000,0:;").value());

  const auto beside = pod_allocations({{"hami.io/vgpu-devices-to-allocate", left},
                                       {"hami.io/vgpu-devices-allocated", "GPU-a,NVIDIA,3000,30:;"}});
  ASSERT_EQ(beside->size(), 1U);
  EXPECT_EQ(beside->front().key, "hami.io/vgpu-devices-allocated");
  EXPECT_FALSE(beside->front().worked_through);
  EXPECT_EQ(pod_allocations({{"volcano.sh/devices-to-allocate", left}})->front().scheduler,
            Scheduler::volcano);
  EXPECT_EQ(
      pod_allocations({{"volcano.sh/devices-to-allocate", left}, {"volcano.sh/vgpu-ids-new", ""}})->size(),
      1U);
}

TEST(PodAllocations, BirensPluginBlanksTheCompleteListItself) {
  const auto got = pod_allocations({{"hami.io/Biren-devices-to-allocate", "card_2,Biren,0,0:;"},
                                    {"hami.io/Biren-devices-allocated", ";"}});
  ASSERT_EQ(got->size(), 2U);
  EXPECT_TRUE(got->at(0).groups.empty());
  EXPECT_EQ(got->at(1).groups, (std::vector<Group>{{{"card_2", "Biren", 0, 0}}}));
  EXPECT_TRUE(got->at(1).worked_through);
}

TEST(PodAllocations, LeavesOutTheRecordsOfOtherVendorsThatOldSchedulersMixIn) {
  const auto got = pod_allocations(
      {{"hami.io/Ascend910B3-devices-allocated", "GPU-a,NVIDIA,3000,0:u,Ascend910B3,16384,0:;"},
       {"hami.io/vgpu-devices-allocated", "GPU-a,NVIDIA,3000,0:u,Ascend910B3,16384,0:m,MLU,1,1:;"},
       {"hami.io/amd-devices-allocated", "8eff,AMD Instinct MI300X VF,49152,76:GPU-a,NVIDIA,3000,0:;"}});
  ASSERT_EQ(got->size(), 3U);
  EXPECT_EQ(got->at(0).groups, (std::vector<Group>{{{"u", "Ascend910B3", 16384, 0}}}));
  EXPECT_EQ(got->at(1).groups, (std::vector<Group>{{{"8eff", "AMD Instinct MI300X VF", 49152, 76}}}));
  EXPECT_EQ(got->at(2).groups, (std::vector<Group>{{{"GPU-a", "NVIDIA", 3000, 0}}}));
}

TEST(PodAllocations, ReadsWhatItWrites) {
  const std::map<std::string, std::string> annotations{
      {"hami.io/vgpu-devices-allocated", "GPU-a,NVIDIA,3000,30:;;GPU-b,NVIDIA,5000,0:;"},
      {"hami.io/kunlun-allocated", "n-kunlun-0,kunlun,98304,100:;"},
      {"hami.io/xpu-devices-to-allocate", "x,XPU,24576,25:;"},
      {"volcano.sh/vgpu-ids-new", "GPU-a,NVIDIA,3000,30:;;GPU-b,NVIDIA,5000,0:"}};
  EXPECT_EQ(encode_allocations(pod_allocations(annotations).value()), annotations);
}

TEST(PodAllocations, ReadsTerminatorsAloneAsNothingAllocated) {
  const auto got = pod_allocations({{"hami.io/Ascend310P-devices-allocated", ";;"}});

  ASSERT_TRUE(got);
  EXPECT_TRUE(got->at(0).groups.empty());
}

TEST(PodAllocations, NamesTheKeyOfAValueItCannotRead) {
  const auto got = pod_allocations({{"hami.io/vgpu-devices-allocated", "GPU-a,NVIDIA:;"}});

  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().message,
            "annotation 'hami.io/vgpu-devices-allocated': group 0, record 0: 2 fields instead of 4 in "
            "'GPU-a,NVIDIA'");
}

}  // namespace
}  // namespace hami::schedulers
