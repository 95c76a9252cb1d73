// Encoders against decoders: what was decoded and encoded again means the same and is stable.
#include "runtime-shim/pod/rewrite.h"

#include <gtest/gtest.h>

#include <random>

#include "oci-config/base/text.h"
#include "runtime-shim/pod/decision.h"

namespace hami::shim {
namespace {

using Annotations = std::map<std::string, std::string>;

std::vector<PodDecision> decisions_of(const Annotations& annotations) {
  oci::ContainerView container;
  container.annotations = annotations;
  container.annotations["io.kubernetes.cri.container-type"] = "container";
  const auto decisions = read_decisions(container, {});
  EXPECT_TRUE(decisions.has_value()) << decisions.error().line();
  return decisions.value_or(std::vector<PodDecision>{});
}

Annotations rewritten(const Annotations& annotations) {
  const auto out = rewrite_annotations(annotations);
  EXPECT_TRUE(out.has_value()) << out.error().line();
  return out.value_or(Annotations{});
}

class PodText {
 public:
  explicit PodText(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
  }

  // With everything that encoders of some release leave in it: padding, placeholders, further fields, signs.
  std::string groups(std::string_view type) {
    std::string out;
    for (std::size_t group = below(5); group > 0; --group) {
      for (std::size_t record = below(3); record > 0; --record) out += this->record(type);
      if (group > 1 || below(2) == 0) out += ";";
    }
    return out;
  }

  std::string json_array(std::string_view member, std::string_view prefix) {
    std::string out = "[ ";
    for (std::size_t i = below(4); i > 0; --i)
      out += text::cat({"{\"", member, "\" : \"", prefix, text::number(below(9)), "\"}", i > 1 ? " , " : ""});
    return out + "]";
  }

  std::string numbers() {
    std::string out = text::number(below(8));
    for (std::size_t i = below(3); i > 0; --i) out += text::cat({",", text::number(below(8))});
    return out;
  }

 private:
  std::string record(std::string_view type) {
    if (below(8) == 0) return below(2) == 0 ? ",,0,0:" : ":";
    const std::string_view sign = below(4) == 0 ? "+" : "";
    const std::string_view more = below(6) == 0 ? ",extra" : "";
    return text::cat({"GPU-", text::number(below(4)), ",", type, ",", sign, text::number(1 + below(90000)),
                      ",", text::number(below(101)), more, ":"});
  }

  std::mt19937 random_;
};

// Of one scheduler each time: two that differ are refused.
Annotations lists_of(PodText& pod) {
  switch (pod.below(5)) {
    case 0:
      return {{"hami.io/vgpu-devices-allocated", pod.groups("NVIDIA")},
              {"hami.io/dcu-devices-allocated", pod.groups("DCU")}};
    case 1:
      return {{"volcano.sh/vgpu-ids-new", pod.groups("NVIDIA")}};
    case 2:
      return {{"hami.io/Ascend910B3-devices-to-allocate", pod.groups("Ascend910B3")}};
    case 3:
      return {{"tencent.com/vcuda-core", "30"},
              {"tencent.com/vcuda-memory", pod.below(2) == 0 ? "20" : "5368709121"},
              {"tencent.com/predicate-gpu-idx-0", text::number(pod.below(8))},
              {"tencent.com/predicate-gpu-idx-11", text::number(pod.below(8))}};
    default:
      return {
          {"scheduling.koordinator.sh/device-allocated",
           text::cat({R"({ "gpu": [ {"minor": )", text::number(pod.below(8)),
                      R"(, "resources": {"koordinator.sh/gpu-memory": ")", text::number(1 + pod.below(64)),
                      R"(Gi", "koordinator.sh/gpu-memory-ratio": "50"}} ] })"})}};
  }
}

Annotations companions_of(PodText& pod) {
  Annotations out;
  if (pod.below(2) == 0) out["AWS_NEURON_IDS"] = pod.numbers();
  if (pod.below(2) == 0) out["BAIDU_COM_DEVICE_IDX"] = pod.numbers();
  if (pod.below(2) == 0) out["huawei.com/Ascend910A"] = pod.json_array("UUID", "npu-");
  if (pod.below(2) == 0) out["CAMBRICON_DSMLU_PROFILE"] = text::cat({text::number(pod.below(8)), "_50_16"});
  if (pod.below(2) == 0) out["metax-tech.com/gpu-devices-allocated"] = pod.below(2) == 0 ? "[[],[]]" : "null";
  return out;
}

TEST(Rewrite, MeansTheSameAndIsStable) {
  std::size_t with_devices = 0;
  for (std::uint32_t seed = 0; seed < 3000; ++seed) {
    PodText pod(seed);
    Annotations annotations = lists_of(pod);
    annotations.merge(companions_of(pod));
    const Annotations once = rewritten(annotations);
    const auto decisions = decisions_of(annotations);
    ASSERT_EQ(decisions_of(once), decisions) << "seed " << seed;
    ASSERT_EQ(rewritten(once), once) << "seed " << seed;
    with_devices += decisions.empty() ? 0 : 1;
  }
  EXPECT_GT(with_devices, 2000U);
}

// Neither list is about a second container.
TEST(Decisions, ListsOfTwoSchedulersMayBePaddedDifferently) {
  const std::string list = "GPU-a,NVIDIA,3000,30:";
  const Annotations annotations{{"hami.io/vgpu-devices-allocated", text::cat({";", list, ";;"})},
                                {"volcano.sh/vgpu-ids-new", list}};
  EXPECT_EQ(decisions_of(annotations).size(), 2U);
}

TEST(Rewrite, KeepsAmountsThatAreNoNumberOfBlocks) {
  const Annotations annotations{{"tencent.com/vcuda-core", "30"},
                                {"tencent.com/vcuda-memory", "5368709121"},
                                {"tencent.com/predicate-gpu-idx-0", "1"}};
  EXPECT_EQ(rewritten(annotations), annotations);
  auto blocks = annotations;
  blocks["tencent.com/vcuda-memory"] = "5368709120";
  EXPECT_EQ(rewritten(blocks).at("tencent.com/vcuda-memory"), "20");
}

TEST(Rewrite, LeavesOthersAlone) {
  const Annotations annotations{
      {"note", "a,b;c"}, {"huawei.com/Ascend310P", "2"}, {"hami.io/vgpu-node", "n1"}};
  EXPECT_EQ(rewritten(annotations), annotations);
}

TEST(Rewrite, NamesKeyAndTextOfWhatItCannotRead) {
  for (const auto& [key, value] : Annotations{{"hami.io/vgpu-devices-allocated", "GPU-a,NVIDIA,3x,1:"},
                                              {"CAMBRICON_DSMLU_PROFILE", "3_50"},
                                              {"scheduling.koordinator.sh/device-allocated", "[7]"},
                                              {"tencent.com/predicate-gpu-idx-0", "1,x"}}) {
    const auto out = rewrite_annotations({{key, value}});
    ASSERT_FALSE(out.has_value()) << key;
    EXPECT_NE(out.error().line().find(key), std::string::npos) << out.error().line();
  }
}

}  // namespace
}  // namespace hami::shim
