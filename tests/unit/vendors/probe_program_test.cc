// The program hami-probe on libraries that work, crash, and are none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "vendors/probe_answer.h"
#include "vendors/probe_process.h"

namespace hami::vendors {
namespace {

namespace fs = std::filesystem;
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
  const ProbedDevice& whole = answer->devices[0];
  EXPECT_EQ(
      whole,
      (ProbedDevice{
          "0001:3b:00.0", "GPU-00000000", "Fake \"GPU\"", Bytes{85899345920}, {}, {}, {"0001:3c:00.0"}}))
      << "a link that is down leads nowhere";
  const ProbedDevice& divided = answer->devices[1];
  EXPECT_EQ(divided.uuid, "GPU-00000001");
  EXPECT_EQ(divided.memory, Bytes{0});
  EXPECT_EQ(divided.parts, (std::vector<ProbedPart>{{1, 0, "MIG-00000010", Bytes{5100273664}},
                                                    {5, 0, "MIG-00000050", Bytes{5100273664}}}));
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

// Libraries keep what they made in files beside themselves, so each test has copies of its own.
class DriverCalls : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::path(testing::TempDir()) / ("hami-driver-calls-" + std::to_string(::getpid()));
    fs::create_directories(dir_);
    fs::copy_file(HAMI_FAKE_DCMI, dir_ / "libdcmi.so");
    fs::copy_file(HAMI_FAKE_CNDEV, dir_ / "libcndev.so");
  }
  void TearDown() override { fs::remove_all(dir_); }

  [[nodiscard]] Result<std::string> call(const std::string& adapter, const std::string& verb,
                                         std::vector<std::string> words) const {
    words.insert(words.begin(), {adapter, verb, dir_ / text::cat({"lib", adapter, ".so"})});
    return run_probe(HAMI_PROBE, words, 10'000);
  }

  fs::path dir_;
};

TEST_F(DriverCalls, AVnpuIsMadeUnderItsNumberAndDestroyed) {
  const auto made = call("dcmi", "create", {"12", "vir05_1c_16g", "292"});
  ASSERT_TRUE(made) << made.error().line();
  EXPECT_TRUE(fs::exists(dir_ / "vdavinci292"));
  EXPECT_FALSE(call("dcmi", "create", {"12", "vir05_1c_16g", "292"})) << "the number is taken";
  EXPECT_TRUE(call("dcmi", "destroy", {"12", "292"}));
  EXPECT_FALSE(fs::exists(dir_ / "vdavinci292"));
  EXPECT_FALSE(call("dcmi", "destroy", {"12", "292"}));
}

TEST_F(DriverCalls, AVnpuUnderAnotherNumberIsNotKept) {
  const auto made = call("dcmi", "create", {"12", "vir_other", "292"});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("asked for number 292, got 293"));
  EXPECT_FALSE(fs::exists(dir_ / "vdavinci293"));
}

TEST_F(DriverCalls, ADeviceThatIsNotThereHasNoVnpu) {
  const auto made = call("dcmi", "create", {"3", "vir05_1c_16g", "292"});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("no device has the physical id 3"));
}

TEST_F(DriverCalls, AnSmluInstanceTellsItsNumberAndIsDestroyed) {
  EXPECT_EQ(call("cndev", "create", {"1", "30", "4294967296"}).value(), "1\n");
  EXPECT_EQ(call("cndev", "create", {"1", "30", "4294967296"}).value(), "2\n");
  EXPECT_TRUE(fs::exists(dir_ / "cap_dev1_mi2"));
  EXPECT_TRUE(call("cndev", "destroy", {"1", "2"}));
  EXPECT_FALSE(fs::exists(dir_ / "cap_dev1_mi2"));
  EXPECT_FALSE(call("cndev", "create", {"5", "30", "4294967296"})) << "no such card";
  EXPECT_FALSE(call("cndev", "create", {"1", "300", "4294967296"})) << "more than the card";
}

TEST_F(DriverCalls, WordsThatAreNoNumbersAndVerbsThatAreNoneReachNoLibrary) {
  EXPECT_THAT(call("dcmi", "create", {"x", "vir02", "1"}).error().message, HasSubstr("is not a number"));
  EXPECT_THAT(call("cndev", "create", {"1", "2", "-1"}).error().message, HasSubstr("is not a number"));
  EXPECT_THAT(call("dcmi", "reset", {"1", "2"}).error().message, HasSubstr("unknown adapter or verb"));
  EXPECT_THAT(call("dcmi", "create", {"1"}).error().message, HasSubstr("unknown adapter or verb"));
}

TEST_F(DriverCalls, AFileOfTheDriverIsWrittenAndNeverMade) {
  std::ofstream(dir_ / "create") << "";
  EXPECT_TRUE(run_probe(HAMI_PROBE, {"write", dir_ / "create", "16384"}, 10'000));
  EXPECT_EQ(files::read(dir_ / "create", 100).value(), "16384");
  EXPECT_FALSE(run_probe(HAMI_PROBE, {"write", dir_ / "other", "16384"}, 10'000));
  EXPECT_FALSE(fs::exists(dir_ / "other"));
  fs::create_symlink("create", dir_ / "link");
  EXPECT_FALSE(run_probe(HAMI_PROBE, {"write", dir_ / "link", "1"}, 10'000));
  EXPECT_FALSE(run_probe(HAMI_PROBE, {"write", "create", "1"}, 10'000)) << "not absolute";
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

TEST(ProbeAnswer, KeepsPartsAndLinksOfDevices) {
  const ProbeAnswer answer{"key",
                           {{"0000:3b:00.0",
                             "GPU-1",
                             "A",
                             Bytes{1},
                             3,
                             {{1, 0, "MIG-1", Bytes{5}}, {2, 1, "MIG-2", {}}},
                             {"0000:3c:00.0", "0000:3c:00.0"}}}};
  EXPECT_EQ(parse_probe_answer(to_json(answer)).value(), answer);
}

TEST(ProbeAnswer, RefusesWhatIsNotOne) {
  for (const auto* json :
       {"", "[]", "{}", R"({"devices":{}})", R"({"devices":[5]})", R"({"devices":[{"memory":-1}]})",
        R"({"devices":[{"memory":"1"}]})", R"({"devices":[{"links":["/etc"]}]})",
        R"({"devices":[{"links":5}]})", R"({"devices":[{"parts":{}}]})", R"({"devices":[{"parts":[5]}]})",
        R"({"devices":[{"parts":[{"first":1,"second":0}]}]})",
        R"({"devices":[{"parts":[{"first":-1,"second":0,"uuid":"MIG-1"}]}]})",
        R"({"devices":[{"bdf":"/etc"}]})", R"({"devices":[{"uuid":5}]})"}) {
    const auto answer = parse_probe_answer(json);
    ASSERT_FALSE(answer) << json;
    EXPECT_EQ(answer.error().code, Errc::io);
  }
}

}  // namespace
}  // namespace hami::vendors
