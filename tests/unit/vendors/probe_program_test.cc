// The program hami-probe on libraries that work, crash, and are none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vendors/probe_answer.h"
#include "vendors/probe_process.h"

namespace hami::vendors {
namespace {

using testing::HasSubstr;

Result<std::string> probe(const std::string& adapter, const std::string& library) {
  return run_probe(HAMI_PROBE, {adapter, library}, 10'000);
}

TEST(ProbeProgram, TellsEveryDeviceOfTheLibrary) {
  const auto json = probe("nvml", HAMI_FAKE_NVML);
  ASSERT_TRUE(json) << json.error().line();
  const auto answer = parse_probe_answer(*json);
  ASSERT_TRUE(answer) << answer.error().line();

  ASSERT_EQ(answer->devices.size(), 2U);
  EXPECT_EQ(answer->devices[0],
            (ProbedDevice{"0001:3b:00.0", "GPU-00000000", "Fake \"GPU\"", Bytes{85899345920}}));
  EXPECT_EQ(answer->devices[1], (ProbedDevice{"0001:3c:00.0", "GPU-00000001", "Fake \"GPU\"", Bytes{0}}));
}

TEST(ProbeProgram, TellsAnAscendByItsPhysicalIdAndLeavesOutOneWithout) {
  const auto json = probe("dcmi", HAMI_FAKE_DCMI);
  ASSERT_TRUE(json) << json.error().line();
  const auto answer = parse_probe_answer(*json);
  ASSERT_TRUE(answer) << answer.error().line();

  ASSERT_EQ(answer->devices.size(), 1U);
  EXPECT_EQ(answer->devices[0], (ProbedDevice{"", "000000A0-000000A1-000000A2-000000A3-000000A4", "910B3",
                                              Bytes::mib(65536), 12}));
}

TEST(ProbeProgram, ALibraryOfAnotherShapeIsNoDcmi) {
  const auto json = probe("dcmi", HAMI_FAKE_NVML);
  ASSERT_FALSE(json);
  EXPECT_THAT(json.error().message, HasSubstr("is no DCMI library"));
}

TEST(ProbeProgram, ACrashOfTheLibraryIsAnErrorOfOurs) {
  const auto json = probe("nvml", HAMI_FAKE_NVML_CRASH);
  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().code, Errc::io);
  EXPECT_THAT(json.error().message, HasSubstr("crashed (Aborted)"));
}

TEST(ProbeProgram, NamesALibraryItCannotLoad) {
  const auto json = probe("nvml", "/nonexistent/libnvidia-ml.so.1");
  ASSERT_FALSE(json);
  EXPECT_THAT(json.error().message, HasSubstr("/nonexistent/libnvidia-ml.so.1"));
}

TEST(ProbeProgram, NamesALibraryThatIsAnother) {
  const auto json = probe("nvml", "/lib/x86_64-linux-gnu/libm.so.6");
  ASSERT_FALSE(json);
  EXPECT_THAT(json.error().message, HasSubstr("nvmlInit_v2"));
}

TEST(ProbeProgram, LoadsNothingByARelativePathOrForAnUnknownVendor) {
  EXPECT_FALSE(probe("nvml", "libnvidia-ml.so.1"));
  EXPECT_FALSE(probe("other", HAMI_FAKE_NVML));
}

TEST(ProbeAnswer, SurvivesBeingWrittenAndRead) {
  const ProbeAnswer answer{"key \"1\"", {{"0000:3b:00.0", "GPU-1", "A \\ B", Bytes{1}}, {}}};
  EXPECT_EQ(parse_probe_answer(to_json(answer)).value(), answer);
}

TEST(ProbeAnswer, RefusesWhatIsNotOne) {
  for (const auto* json : {"", "[]", "{}", R"({"devices":{}})", R"({"devices":[5]})",
                           R"({"devices":[{"memory":-1}]})", R"({"devices":[{"memory":"1"}]})",
                           R"({"devices":[{"bdf":"/etc"}]})", R"({"devices":[{"uuid":5}]})"}) {
    const auto answer = parse_probe_answer(json);
    ASSERT_FALSE(answer) << json;
    EXPECT_EQ(answer.error().code, Errc::io);
  }
}

}  // namespace
}  // namespace hami::vendors
