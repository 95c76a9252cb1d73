#include "runtime-shim/request/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/runtime-shim/fixtures.h"

namespace hami::shim {
namespace {

using ::testing::AllOf;
using testing::annotated;
using ::testing::HasSubstr;
using testing::in_pod;
using testing::with_env;

Result<std::optional<Request>> parse(const oci::ContainerView& container, const Policy& policy = {}) {
  return parse_request(container, {testing::recipe()}, policy);
}

// The only vendor's request; the test fails when there is none.
VendorRequest vendor_of(const Result<std::optional<Request>>& request) {
  if (!request) {
    ADD_FAILURE() << request.error().line();
    return {};
  }
  if (!*request || (*request)->vendors.size() != 1) {
    ADD_FAILURE() << "no request of one vendor";
    return {};
  }
  return (*request)->vendors.front();
}

bool asks_nothing(const Result<std::optional<Request>>& request) { return request && !*request; }

std::string refusal(const Result<std::optional<Request>>& request) {
  return request ? "accepted" : request.error().line();
}

TEST(Request, IsNothingForAContainerThatAsksForNothing) {
  EXPECT_TRUE(asks_nothing(parse(annotated({}))));
  EXPECT_TRUE(asks_nothing(parse(annotated({{"org.example/gpu", "1"}}))));
  EXPECT_FALSE(may_request(with_env({{"PATH", "/bin"}}), {}));
}

TEST(Request, ReadsResourceNamesFromAnnotations) {
  const auto request = vendor_of(parse(
      annotated({{"nvidia.com/gpu", "2"}, {"nvidia.com/gpumem", "3000"}, {"nvidia.com/gpucores", "30"}})));

  EXPECT_EQ(request.count->value, 2U);
  EXPECT_EQ(request.memory->value, Bytes::mib(3000));
  EXPECT_EQ(request.cores->value, Percent{30});
  EXPECT_EQ(request.origin(), "annotation 'nvidia.com/gpu'");
}

TEST(Request, ReadsThePairsOfHamiResources) {
  const auto request = vendor_of(parse(
      with_env({{"HAMI_RESOURCES", "nvidia.com/gpu=1,nvidia.com/gpumem=3000,nvidia.com/gpucores=30"}})));

  EXPECT_EQ(request.count->value, 1U);
  EXPECT_EQ(request.memory->value, Bytes::mib(3000));
  EXPECT_EQ(request.cores->value, Percent{30});
}

TEST(Request, RefusesNumbersThatAreNotPlainDigits) {
  for (const char* bad : {"-1", "3e3", "99999999999999999999", "3000Mi", "", " 1", "1 ", "0x10", "1.5", "+1",
                          "18446744073709551615"}) {
    const auto memory = refusal(parse(annotated({{"nvidia.com/gpu", "1"}, {"nvidia.com/gpumem", bad}})));
    EXPECT_THAT(memory, AllOf(HasSubstr("nvidia.com/gpumem"), HasSubstr(text::quote(bad)), HasSubstr("MiB"),
                              HasSubstr("write digits only")));
    const auto count = refusal(parse(annotated({{"nvidia.com/gpu", bad}})));
    EXPECT_THAT(count, AllOf(HasSubstr("nvidia.com/gpu"), HasSubstr(text::quote(bad))));
    const auto pair = refusal(parse(with_env({{"HAMI_RESOURCES", text::cat({"nvidia.com/gpu=", bad})}})));
    EXPECT_THAT(pair, HasSubstr("HAMI_RESOURCES"));
  }
}

TEST(Request, RefusesZeroMemoryAndTooHighAPercentage) {
  EXPECT_THAT(refusal(parse(annotated({{"nvidia.com/gpumem", "0"}}))), HasSubstr("from 1 to"));
  EXPECT_THAT(refusal(parse(annotated({{"nvidia.com/gpumem-percentage", "101"}}))),
              HasSubstr("from 0 to 100"));
}

TEST(Request, TakesMoreThanAllCoresAsAllCores) {
  const auto request = vendor_of(parse(annotated({{"nvidia.com/gpu", "1"}, {"nvidia.com/gpucores", "150"}})));

  EXPECT_EQ(request.cores->value, Percent{100});
}

TEST(Request, RefusesAResourceNameThatNoRecipeHas) {
  const auto line = refusal(parse(with_env({{"HAMI_RESOURCES", "nvidia.com/gpu=1,nvidia.com/gpumen=1"}})));

  EXPECT_THAT(line, AllOf(HasSubstr("nvidia.com/gpumen"), HasSubstr("spelling")));
}

TEST(Request, RefusesHamiResourcesWithoutPairs) {
  EXPECT_THAT(refusal(parse(with_env({{"HAMI_RESOURCES", "1"}}))), HasSubstr("name=value"));
  EXPECT_THAT(refusal(parse(with_env({{"HAMI_RESOURCES", "nvidia.com/gpu=1,"}}))), HasSubstr("name=value"));
  EXPECT_THAT(refusal(parse(with_env({{"HAMI_RESOURCES", "nvidia.com/gpu=1,nvidia.com/gpu=2"}}))),
              HasSubstr("twice"));
}

TEST(Request, NamesBothSourcesThatDisagree) {
  auto container = with_env({{"HAMI_RESOURCES", "nvidia.com/gpu=2"}});
  container.annotations["nvidia.com/gpu"] = "1";

  EXPECT_THAT(refusal(parse(container)), AllOf(HasSubstr("annotation 'nvidia.com/gpu'"),
                                               HasSubstr("variable HAMI_RESOURCES"), HasSubstr("disagree")));
}

TEST(Request, AcceptsSourcesThatAgree) {
  auto container = with_env(
      {{"HAMI_RESOURCES", "nvidia.com/gpu=1,nvidia.com/gpumem=3000"}, {"CUDA_DEVICE_MEMORY_LIMIT", "3000m"}});
  container.annotations["nvidia.com/gpu"] = "1";

  EXPECT_EQ(vendor_of(parse(container)).memory->value, Bytes::mib(3000));
}

TEST(Request, DefaultsOfImagesYieldToResourceNames) {
  for (const char* value : {"all", "none", "void", ""}) {
    auto container = with_env({{"NVIDIA_VISIBLE_DEVICES", value}, {"HAMI_RESOURCES", "nvidia.com/gpu=1"}});
    const auto request = vendor_of(parse(container));
    EXPECT_EQ(request.count->value, 1U);
    EXPECT_FALSE(request.selector.has_value());
  }
}

TEST(Request, NamedDevicesMustAgreeWithTheCount) {
  auto container = with_env({{"NVIDIA_VISIBLE_DEVICES", "0,1"}, {"HAMI_RESOURCES", "nvidia.com/gpu=1"}});
  EXPECT_THAT(refusal(parse(container)),
              AllOf(HasSubstr("NVIDIA_VISIBLE_DEVICES"), HasSubstr("HAMI_RESOURCES")));

  container.env.back().second = "nvidia.com/gpu=2";
  EXPECT_EQ(vendor_of(parse(container)).selector->value.names, (Names{"0", "1"}));
}

TEST(Request, ReadsTheVendorsSelector) {
  const auto kind = [](const char* value) {
    return vendor_of(parse(with_env({{"NVIDIA_VISIBLE_DEVICES", value}}))).selector->value.kind;
  };
  EXPECT_EQ(kind("all"), Selector::Kind::all);
  EXPECT_EQ(kind("none"), Selector::Kind::none);
  EXPECT_EQ(kind("GPU-0"), Selector::Kind::named);
  EXPECT_TRUE(asks_nothing(parse(with_env({{"NVIDIA_VISIBLE_DEVICES", "void"}}))));
  EXPECT_TRUE(asks_nothing(parse(with_env({{"NVIDIA_VISIBLE_DEVICES", ""}}))));
  EXPECT_THAT(refusal(parse(with_env({{"NVIDIA_VISIBLE_DEVICES", "0,,1"}}))), HasSubstr("not a list"));
}

TEST(Request, TheLastOfSeveralVariablesCounts) {
  const auto request =
      vendor_of(parse(with_env({{"NVIDIA_VISIBLE_DEVICES", "all"}, {"NVIDIA_VISIBLE_DEVICES", "GPU-1"}})));

  EXPECT_EQ(request.selector->value.names, Names{"GPU-1"});
}

TEST(Request, ReadsDevicesMarkedByMounts) {
  auto container = with_env({{"NVIDIA_VISIBLE_DEVICES", "/var/run/nvidia-container-devices"}});
  container.mounts.push_back({"/var/run/nvidia-container-devices/GPU-1", "/dev/null", "bind", {}});

  EXPECT_TRUE(may_request(container, {}));
  EXPECT_EQ(vendor_of(parse(container)).selector->value.names, Names{"GPU-1"});
}

TEST(Request, ReadsHamiCoresLimits) {
  const auto request = vendor_of(parse(with_env({{"NVIDIA_VISIBLE_DEVICES", "0,1"},
                                                 {"CUDA_DEVICE_MEMORY_LIMIT", "2g"},
                                                 {"CUDA_DEVICE_MEMORY_LIMIT_1", "1g"},
                                                 {"CUDA_DEVICE_SM_LIMIT", "40"},
                                                 {"CUDA_TASK_PRIORITY", "0"},
                                                 {"GPU_CORE_UTILIZATION_POLICY", "force"},
                                                 {"CUDA_OVERSUBSCRIBE", "true"},
                                                 {"CUDA_MEMORY_WAIT", "45"},
                                                 {"ACTIVE_OOM_KILLER", "false"}})));

  EXPECT_EQ(request.memory->value, Bytes::mib(2048));
  EXPECT_EQ(request.memory_of.at(1).value, Bytes::mib(1024));
  EXPECT_EQ(request.cores->value, Percent{40});
  EXPECT_EQ(request.priority->value, 0);
  EXPECT_EQ(request.core_policy->value, abi::CorePolicy::force);
  EXPECT_TRUE(request.oversubscribe->value);
  EXPECT_FALSE(request.oom_killer->value);
  EXPECT_EQ(request.memory_wait->value, 45U);
}

TEST(Request, AnAnnotationSaysHowLongARequestWaitsForAFullCard) {
  const auto asking = [](const char* seconds) {
    return parse(annotated({{"nvidia.com/gpu", "1"}, {"hami.io/memory-wait", seconds}}));
  };
  EXPECT_EQ(vendor_of(asking("30")).memory_wait->value, 30U);
  EXPECT_THAT(refusal(asking("3601")), AllOf(HasSubstr("hami.io/memory-wait"), HasSubstr("from 0 to 3600")));
  EXPECT_THAT(refusal(asking("soon")), HasSubstr("'soon'"));
}

TEST(Request, RefusesALimitVariableItCannotRead) {
  for (const char* bad : {"-1", "3e3", "3000Q", "99999999999999999999m", "m"}) {
    EXPECT_THAT(refusal(parse(with_env({{"CUDA_DEVICE_MEMORY_LIMIT", bad}}))),
                AllOf(HasSubstr("CUDA_DEVICE_MEMORY_LIMIT"), HasSubstr(text::quote(bad))));
  }
  EXPECT_THAT(refusal(parse(with_env({{"CUDA_DEVICE_SM_LIMIT", "101"}}))), HasSubstr("from 0 to 100"));
  EXPECT_THAT(refusal(parse(with_env({{"NVIDIA_VISIBLE_DEVICES", "0"}, {"CUDA_OVERSUBSCRIBE", "maybe"}}))),
              HasSubstr("CUDA_OVERSUBSCRIBE"));
}

TEST(Request, ALimitOfZeroIsNoLimit) {
  EXPECT_TRUE(
      asks_nothing(parse(with_env({{"CUDA_DEVICE_MEMORY_LIMIT_0", "0m"}, {"CUDA_DEVICE_SM_LIMIT", "0"}}))));
}

TEST(Request, AmountsAloneAskForTheDefaultNumberOfDevices) {
  Policy policy;
  EXPECT_EQ(vendor_of(parse(annotated({{"nvidia.com/gpumem", "4000"}}))).count->value, 1U);
  policy.default_count = 3;
  EXPECT_EQ(vendor_of(parse(annotated({{"nvidia.com/gpumem", "4000"}}), policy)).count->value, 3U);
  policy.default_count = 0;
  EXPECT_THAT(refusal(parse(annotated({{"nvidia.com/gpumem", "4000"}}), policy)), HasSubstr("default_count"));
}

TEST(Request, ZeroDevicesAreNoRequest) {
  EXPECT_TRUE(asks_nothing(parse(annotated({{"nvidia.com/gpu", "0"}}))));
}

TEST(Request, APrioritySaysNothingAboutDevices) {
  EXPECT_TRUE(asks_nothing(parse(annotated({{"nvidia.com/priority", "1"}}))));
}

TEST(Request, LeavesSandboxesAlone) {
  auto container = annotated({{"nvidia.com/gpu", "1"}, {"io.kubernetes.cri.container-type", "sandbox"}});

  EXPECT_FALSE(may_request(container, {}));
  EXPECT_TRUE(asks_nothing(parse(container)));
}

TEST(Request, PrefersTheKeyOfTheContainerInItsPod) {
  const std::map<std::string, std::string> pod{{"nvidia.com/gpumem.container.train", "8000"},
                                               {"nvidia.com/gpu.container.train", "1"}};

  EXPECT_EQ(vendor_of(parse(in_pod(annotated(pod), "train"))).memory->value, Bytes::mib(8000));
  EXPECT_TRUE(asks_nothing(parse(in_pod(annotated(pod), "sidecar"))));
}

TEST(Request, VariablesDoNotCountInAPodUnlessPolicyLetsThem) {
  const auto container = in_pod(with_env({{"NVIDIA_VISIBLE_DEVICES", "all"}}), "main");
  Policy always;
  always.env_requests = EnvRequests::always;
  Policy never;
  never.env_requests = EnvRequests::never;

  EXPECT_TRUE(asks_nothing(parse(container)));
  EXPECT_FALSE(may_request(container, {}));
  EXPECT_EQ(vendor_of(parse(container, always)).selector->value.kind, Selector::Kind::all);
  EXPECT_TRUE(asks_nothing(parse(with_env({{"NVIDIA_VISIBLE_DEVICES", "all"}}), never)));
}

TEST(Request, VariablesOfAPrivilegedContainerMayCountAlone) {
  Policy privileged;
  privileged.env_requests = EnvRequests::privileged;
  for (auto container : {with_env({{"NVIDIA_VISIBLE_DEVICES", "all"}}),
                         in_pod(with_env({{"NVIDIA_VISIBLE_DEVICES", "all"}}), "main")}) {
    EXPECT_TRUE(asks_nothing(parse(container, privileged)));
    container.privileged = true;
    EXPECT_FALSE(asks_nothing(parse(container, privileged)));
  }
}

TEST(Request, ReadsPlacementPoliciesInHamisListForm) {
  const auto placement = [](const char* value) {
    return parse(annotated({{"nvidia.com/gpu", "1"}, {"hami.io/gpu-scheduler-policy", value}}));
  };
  EXPECT_EQ((*placement("spread"))->placement->value, Placement::spread);
  EXPECT_EQ((*placement("binpack,numa"))->placement->value, Placement::numa);
  EXPECT_TRUE((*placement("mutex"))->exclusive);
  EXPECT_THAT(refusal(placement("random")), HasSubstr("'random'"));
}

TEST(Request, ReadsListsOfAllowedAndDeniedDevices) {
  const auto request = vendor_of(parse(annotated({{"nvidia.com/gpu", "1"},
                                                  {"nvidia.com/use-gpuuuid", "GPU-1, GPU-2"},
                                                  {"nvidia.com/nouse-gputype", "V100"},
                                                  {"nvidia.com/use-gputype", ""}})));

  EXPECT_EQ(request.use_uuid->value, (Names{"GPU-1", "GPU-2"}));
  EXPECT_EQ(request.nouse_type->value, Names{"V100"});
  EXPECT_FALSE(request.use_type.has_value());
}

TEST(Request, EveryPossibleRequestHasANeedle) {
  const auto hit = [](std::string_view text) { return oci::may_contain(text, request_needles()); };
  EXPECT_TRUE(hit(R"({"annotations":{"nvidia.com/gpu":"1"}})"));
  EXPECT_TRUE(hit(R"({"annotations":{"hami.io/vgpu-devices-allocated":""}})"));
  EXPECT_TRUE(hit(R"({"process":{"env":["HAMI_RESOURCES=nvidia.com/gpu=1"]}})"));
  EXPECT_TRUE(hit(R"({"process":{"env":["NVIDIA_VISIBLE_DEVICES=all"]}})"));
  EXPECT_TRUE(hit(R"({"process":{"env":["CUDA_DEVICE_SM_LIMIT_0=3"]}})"));
  EXPECT_TRUE(hit(R"({"mounts":[{"destination":"/usr/local/vgpu/claims/6f1c"}]})"));
  EXPECT_FALSE(hit(R"({"process":{"env":["PATH=/bin"],"args":["sh"]},"root":{"path":"rootfs"}})"));
}

TEST(Request, AForgedLineInAValueStaysOneLine) {
  const auto line = refusal(parse(annotated({{"nvidia.com/gpu", "1\nhami-runtime: all is well"}})));

  EXPECT_EQ(line.find('\n'), std::string::npos);
}

vendors::Recipe recipe_of_a_kind() {
  vendors::Recipe recipe = testing::recipe();
  recipe.metadata.vendor = "nvidia.com";
  recipe.metadata.device_class = "gpu";
  return recipe;
}

TEST(Request, CdiNamesOfNoRecipeAreLeftToSpecifications) {
  const auto container = annotated(
      {{"hami.io/cdi-devices", "other.com/card=0, other.com/card=1"}, {"cdi.k8s.io/p_0", "a.com/b=c"}});
  EXPECT_TRUE(may_request(container, {}));
  const auto request = parse(container);
  ASSERT_TRUE(request && *request) << refusal(request);
  EXPECT_TRUE((*request)->vendors.empty());
  const std::vector<CdiName> expected{{"a.com/b=c", "annotation 'cdi.k8s.io/p_0'", true},
                                      {"other.com/card=0", "annotation 'hami.io/cdi-devices'", false},
                                      {"other.com/card=1", "annotation 'hami.io/cdi-devices'", false}};
  EXPECT_EQ((*request)->cdi, expected);
}

TEST(Request, CdiNamesOfARecipesKindSelectItsDevices) {
  const auto parse_kind = [](std::map<std::string, std::string> annotations) {
    return parse_request(annotated(std::move(annotations)), {recipe_of_a_kind()}, {});
  };
  const auto two = parse_kind({{"hami.io/cdi-devices", "nvidia.com/gpu=1,nvidia.com/gpu=GPU-0"}});
  EXPECT_EQ(vendor_of(two).selector->value.names, (std::vector<std::string>{"1", "GPU-0"}));
  EXPECT_TRUE((*two)->cdi.empty());
  EXPECT_EQ(vendor_of(parse_kind({{"hami.io/cdi-devices", "nvidia.com/gpu=all"}})).selector->value.kind,
            Selector::Kind::all);
  EXPECT_THAT(refusal(parse_kind({{"hami.io/cdi-devices", "nvidia.com/gpu=0"}, {"nvidia.com/gpu", "1"}})),
              AllOf(HasSubstr("hami.io/cdi-devices"), HasSubstr("nvidia.com/gpu")));
}

TEST(Request, NamesForEnginesAreNoWayAroundTheLedger) {
  EXPECT_THAT(refusal(parse(annotated({{"hami.io/cdi-devices", "hami.io/gpu=0"}}))),
              AllOf(HasSubstr("'hami.io/gpu=0'"), HasSubstr("nvidia.com/gpu=0")));
  const auto of_engine = parse(annotated({{"cdi.k8s.io/p", "hami.io/gpu=0"}}));
  ASSERT_TRUE(of_engine && *of_engine) << refusal(of_engine);
  EXPECT_EQ((*of_engine)->cdi.front().name, "hami.io/gpu=0");
}

TEST(Request, RefusesWhatIsNoCdiName) {
  for (const char* name : {"card", "a/../b=c", "a/b=c/d", "a/b="})
    EXPECT_THAT(refusal(parse(annotated({{"hami.io/cdi-devices", name}}))), HasSubstr("names no CDI device"));
}

}  // namespace
}  // namespace hami::shim
