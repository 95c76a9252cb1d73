// Which group is a container's, and what resource names mean: the required behaviour as tables.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "runtime-shim/pod/decision.h"
#include "runtime-shim/pod/evidence.h"
#include "runtime-shim/pod/scheduled.h"
#include "runtime-shim/request/request.h"
#include "tests/unit/runtime-shim/fixtures.h"

namespace hami::shim {
namespace {

using namespace testing;

constexpr const char* kKey = "hami.io/vgpu-devices-allocated";
using Env = std::vector<std::pair<std::string, std::string>>;

Env plugin(const std::string& device, const std::string& memory, const std::string& cores) {
  return {{"NVIDIA_VISIBLE_DEVICES", device},
          {"CUDA_DEVICE_MEMORY_LIMIT_0", memory},
          {"CUDA_DEVICE_SM_LIMIT", cores}};
}

struct Outcome {
  std::string devices;  // "<uuid> <MiB or all> <cores>", joined by ", "; or the error
  std::optional<std::size_t> group;
  bool warned = false;
};

// The node has GPU-0, GPU-1, GPU-2 and GPU-3.
Outcome decide(const std::string& annotation, const Env& env, const std::vector<std::size_t>& claimed = {}) {
  oci::ContainerView container = in_pod(with_env(env), "c");
  container.annotations[kKey] = annotation;
  const auto request = parse_request(container, {recipe()}, Policy{});
  if (!request) return {request.error().message, {}, false};
  if (!*request || (*request)->vendors.empty()) return {"nothing", {}, false};
  const auto got = resolve(*(*request)->vendors[0].scheduled, {recipe(), inventory(4)}, claimed);
  if (!got) return {got.error().message, {}, false};
  std::vector<std::string> parts;
  for (const Given& given : got->decided.devices) {
    parts.push_back(
        text::cat({given.device, " ", given.memory ? text::number(given.memory->whole_mib()) : "all", " ",
                   text::number(given.cores.value)}));
  }
  return {text::join(parts, ", "), got->group, !got->warning.empty()};
}

TEST(Vectors, TheGroupIsFoundByEvidence) {
  const struct {
    const char* id;
    std::string annotation;
    Env env;
    std::string devices;
    std::optional<std::size_t> group;
  } rows[] = {
      {"T37", "GPU-0,NVIDIA,3000,30:;", plugin("GPU-0", "3000m", "30"), "GPU-0 3000 30", 0},
      {"T37 cpu", "GPU-0,NVIDIA,3000,30:;", {{"PATH", "/bin"}}, "nothing", {}},
      {"T38", ";GPU-0,NVIDIA,3000,30:;", plugin("GPU-0", "3000m", "30"), "GPU-0 3000 30", 1},
      {"T39", "GPU-0,NVIDIA,1000,0:;,,0,0:;GPU-1,NVIDIA,5000,0:;", plugin("GPU-1", "5000m", "0"),
       "GPU-1 5000 0", 2},
      {"T40", ";GPU-0,NVIDIA,3000,30:;", plugin("GPU-0", "3000m", "30"), "GPU-0 3000 30", 1},
      {"T41", "GPU-0,NVIDIA,3000,0:;GPU-1,NVIDIA,5000,0:;", plugin("GPU-1", "5000m", "0"), "GPU-1 5000 0", 1},
      {"T42", "GPU-0,NVIDIA,3000,0:;GPU-0,NVIDIA,3000,0:;", plugin("GPU-0", "3000m", "0"), "GPU-0 3000 0", 0},
      {"T43",
       "GPU-0,NVIDIA,3000,0:;GPU-1,NVIDIA,3000,0:;",
       plugin("GPU-2", "3000m", "0"),
       "GPU-2 3000 0",
       {}},
      {"T44", "GPU-0,NVIDIA,3000,0:;", plugin("GPU-2", "3000m", "0"), "GPU-2 3000 0", 0},
      {"T47", "GPU-0,NVIDIA,3000,30:;", {{"NVIDIA_VISIBLE_DEVICES", "all"}}, "nothing", {}},
      {"T48",
       "GPU-0,NVIDIA,3000,30:;",
       {{"NVIDIA_VISIBLE_DEVICES", "all"},
        {"NVIDIA_VISIBLE_DEVICES", "GPU-0"},
        {"CUDA_DEVICE_MEMORY_LIMIT_0", "3000m"},
        {"CUDA_DEVICE_MEMORY_LIMIT_0", "60000m"}},
       "GPU-0 3000 30",
       0},
      {"two cards",
       "GPU-1,NVIDIA,5000,0:GPU-0,NVIDIA,3000,0:;",
       {{"NVIDIA_VISIBLE_DEVICES", "GPU-1,GPU-0"},
        {"CUDA_DEVICE_MEMORY_LIMIT_0", "5000m"},
        {"CUDA_DEVICE_MEMORY_LIMIT_1", "3000m"}},
       "GPU-1 5000 0, GPU-0 3000 0",
       0},
      {"index", "GPU-1,NVIDIA,5000,0:;", plugin("1", "5000m", "0"), "GPU-1 5000 0", 0},
      {"cdi, by amounts",
       "GPU-1,NVIDIA,5000,0:;GPU-0,NVIDIA,3000,0:;",
       {{"NVIDIA_VISIBLE_DEVICES", "void"}, {"CUDA_DEVICE_MEMORY_LIMIT_0", "3000m"}},
       "GPU-0 3000 0",
       1},
  };
  for (const auto& row : rows) {
    const Outcome got = decide(row.annotation, row.env);
    EXPECT_EQ(got.devices, row.devices) << row.id;
    EXPECT_EQ(got.group, row.group) << row.id;
  }
  EXPECT_TRUE(decide(rows[7].annotation, rows[7].env).warned) << "T43";
}

TEST(Vectors, TheSecondOfEqualGroupsIsTheOneThatIsFree) {
  EXPECT_EQ(decide("GPU-0,NVIDIA,3000,0:;GPU-0,NVIDIA,3000,0:;", plugin("GPU-0", "3000m", "0"), {0}).group,
            1U);
}

// An older plugin believes that both are the Pod's first container, and gives both the same directory.
TEST(Vectors, ContainersWithOneDirectoryHaveTheGroupsTheyShow) {
  const std::string annotation = "GPU-0,NVIDIA,3000,30:;GPU-1,NVIDIA,5000,0:;";
  for (const auto& [device, group] : std::map<std::string, std::size_t>{{"GPU-0", 0}, {"GPU-1", 1}}) {
    Env env = device == "GPU-0" ? plugin(device, "3000m", "30") : plugin(device, "5000m", "0");
    env.emplace_back("CUDA_DEVICE_MEMORY_SHARED_CACHE", "/usr/local/vgpu/0.cache");
    EXPECT_EQ(decide(annotation, env).group, group) << "T30";
  }
}

TEST(Vectors, AWordForNoDeviceIsNoRequestAndStays) {
  oci::ContainerView container = in_pod(with_env({{"NVIDIA_VISIBLE_DEVICES", "none"}}), "c");
  EXPECT_FALSE(parse_request(container, {recipe()}, Policy{})->has_value()) << "T60";
  container.annotations[kKey] = "GPU-0,NVIDIA,3000,0:;";
  EXPECT_FALSE(parse_request(container, {recipe()}, Policy{})->has_value())
      << "T60, beside another container";
}

TEST(Vectors, ANumberOfDevicesThatNoGroupHasLeavesTheEvidenceAlone) {
  const Outcome got = decide("GPU-0,NVIDIA,3000,30:;", {{"NVIDIA_VISIBLE_DEVICES", "GPU-0,GPU-1"},
                                                        {"CUDA_DEVICE_MEMORY_LIMIT_0", "3000m"},
                                                        {"CUDA_DEVICE_MEMORY_LIMIT_1", "3000m"},
                                                        {"CUDA_DEVICE_SM_LIMIT", "30"}});
  EXPECT_EQ(got.devices, "GPU-0 3000 30, GPU-1 3000 30") << "T83";
  EXPECT_EQ(got.group, std::nullopt) << "T83";
  EXPECT_TRUE(got.warned) << "T83";
}

TEST(Vectors, AContainerCannotTakeAnotherOnesGroupByItsVariables) {
  EXPECT_NE(
      decide("GPU-0,NVIDIA,3000,0:;", plugin("GPU-0", "3000m", "0"), {0}).devices.find("another container"),
      std::string::npos);
}

TEST(Vectors, AMountsNameIsNoEvidence) {
  oci::ContainerView container = in_pod(with_env({{"PATH", "/bin"}}), "train");
  container.annotations[kKey] = "GPU-0,NVIDIA,3000,0:;";
  container.mounts.push_back({"/usr/local/vgpu", "/usr/local/vgpu/containers/1111_train", "bind", {"rbind"}});

  EXPECT_FALSE(parse_request(container, {recipe()}, Policy{})->has_value()) << "T45";
}

TEST(Vectors, ASandboxIsNeverARequest) {
  oci::ContainerView container = with_env(plugin("GPU-0", "3000m", "0"));
  container.annotations = {{kKey, "GPU-0,NVIDIA,3000,0:;"}, {"io.kubernetes.cri.container-type", "sandbox"}};

  EXPECT_FALSE(parse_request(container, {recipe()}, Policy{})->has_value()) << "T46";
}

TEST(Vectors, ASidecarOfACudaImageIsSilenced) {
  vendors::Recipe nvidia = recipe();
  nvidia.neutralize.env = {{"NVIDIA_VISIBLE_DEVICES", "void"}};
  oci::ContainerView container = in_pod(with_env({{"NVIDIA_VISIBLE_DEVICES", "all"}}), "sidecar");
  container.annotations[kKey] = "GPU-0,NVIDIA,3000,0:;";

  const auto got = parse_request(container, {nvidia}, Policy{});

  ASSERT_TRUE(got && *got) << "T47";
  EXPECT_TRUE((*got)->vendors.empty());
  EXPECT_EQ((*got)->silenced.at("NVIDIA_VISIBLE_DEVICES"), "void");
}

struct Asked {
  const char* id;
  std::map<std::string, std::string> words;
  std::uint64_t card_mib;
  std::string expected;  // "<devices>x<MiB held>,<cores held>", or "ERROR"
};

std::string answer(const Asked& asked, const Policy& policy) {
  const auto request = parse_request(annotated(asked.words), {recipe()}, policy);
  if (!request) return "ERROR";
  if (!*request) return "nothing";
  const auto got = allocate(**request, {{recipe(), inventory(2, Bytes::mib(asked.card_mib))}}, {}, policy);
  if (!got) return "ERROR";
  const auto& grants = got->vendors[0].grants;
  return text::cat({text::number(grants.size()), "x", text::number(grants[0].holding.memory.whole_mib()), ",",
                    text::number(grants[0].holding.cores.value)});
}

TEST(Vectors, ResourceNamesMeanWhatHamisSchedulerMakesOfThem) {
  const Asked rows[] = {
      {"T49",
       {{"nvidia.com/gpu", "1"}, {"nvidia.com/gpumem", "3000"}, {"nvidia.com/gpucores", "30"}},
       16384,
       "1x3000,30"},
      {"T50", {{"nvidia.com/gpu", "1"}}, 16384, "1x16384,100"},
      {"T51", {{"nvidia.com/gpu", "2"}, {"nvidia.com/gpumem-percentage", "50"}}, 24576, "2x12288,0"},
      {"T52", {{"nvidia.com/gpumem", "4000"}}, 16384, "1x4000,0"},
      {"T53", {{"nvidia.com/gpu", "1"}, {"nvidia.com/gpumem", "16Gi"}}, 16384, "ERROR"},
      {"T54", {{"nvidia.com/gpu", "1"}, {"nvidia.com/gpumem-percentage", "0"}}, 16384, "1x16384,0"},
      {"T55", {{"nvidia.com/gpu", "1"}, {"nvidia.com/gpumem-percentage", "101"}}, 16384, "ERROR"},
      {"T56",
       {{"nvidia.com/gpu", "1"}, {"nvidia.com/gpumem", "3000"}, {"nvidia.com/gpumem-percentage", "100"}},
       16384,
       "1x3000,100"},
      {"T57",
       {{"nvidia.com/gpu", "1"}, {"nvidia.com/gpumem", "3000"}, {"nvidia.com/gpucores", "150"}},
       16384,
       "1x3000,100"},
  };
  for (const Asked& row : rows) EXPECT_EQ(answer(row, Policy{}), row.expected) << row.id;
  Policy scaled;
  scaled.memory_scaling = Scaling{2000};
  EXPECT_EQ(answer({"T58", {{"nvidia.com/gpu", "1"}}, 16384, ""}, scaled), "1x32768,100") << "T58";
}

TEST(Vectors, APriorityOfZeroIsHigh) {
  const auto got =
      parse_request(annotated({{"nvidia.com/gpu", "1"}, {"nvidia.com/priority", "0"}}), {recipe()}, Policy{});
  EXPECT_EQ((**got).vendors[0].priority->value, 0) << "T59";
}

TEST(Vectors, OnlyWhatGoCallsTrueSwitchesControlOff) {
  for (const auto& [text, off] : std::map<std::string, bool>{
           {"true", true}, {"1", true}, {"T", true}, {"yes", false}, {"false", false}}) {
    const auto got = parse_request(
        with_env({{"NVIDIA_VISIBLE_DEVICES", "0"}, {"CUDA_DISABLE_CONTROL", text}}), {recipe()}, Policy{});
    EXPECT_EQ((**got).vendors[0].uncontrolled.has_value(), off) << "T81, T82: " << text;
  }
}

}  // namespace
}  // namespace hami::shim
