#include "libvgpu/core/environment.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace hami::vgpu {
namespace {

std::map<std::string, std::string>* g_variables = nullptr;

class EnvironmentTest : public testing::Test {
 protected:
  void SetUp() override { g_variables = &variables_; }
  EnvironmentLimits read() {
    return read_environment([](const char* name) -> const char* {
      const auto found = g_variables->find(name);
      return found == g_variables->end() ? nullptr : found->second.c_str();
    });
  }
  std::map<std::string, std::string> variables_;
};

TEST_F(EnvironmentTest, SaysWhenNothingIsSet) {
  const EnvironmentLimits limits = read();
  EXPECT_FALSE(limits.any);
  EXPECT_EQ(limits.memory[0], 0U);
}

TEST_F(EnvironmentTest, TheGlobalLimitHoldsForEveryDevice) {
  variables_["CUDA_DEVICE_MEMORY_LIMIT"] = "1g";
  const EnvironmentLimits limits = read();
  EXPECT_TRUE(limits.any);
  EXPECT_EQ(limits.memory[0], std::uint64_t{1} << 30U);
  EXPECT_EQ(limits.memory[15], std::uint64_t{1} << 30U);
}

TEST_F(EnvironmentTest, ADevicesOwnLimitWinsAndZeroExemptsIt) {
  variables_["CUDA_DEVICE_MEMORY_LIMIT"] = "1g";
  variables_["CUDA_DEVICE_MEMORY_LIMIT_1"] = "2g";
  variables_["CUDA_DEVICE_MEMORY_LIMIT_12"] = "0";
  const EnvironmentLimits limits = read();
  EXPECT_EQ(limits.memory[1], std::uint64_t{2} << 30U);
  EXPECT_EQ(limits.memory[12], 0U);
}

TEST_F(EnvironmentTest, NamesTheVariableThatCannotBeRead) {
  variables_["CUDA_DEVICE_MEMORY_LIMIT_3"] = "lots";
  const EnvironmentLimits limits = read();
  ASSERT_NE(limits.bad_name, nullptr);
  EXPECT_STREQ(limits.bad_name, "CUDA_DEVICE_MEMORY_LIMIT_3");
  EXPECT_STREQ(limits.bad_value, "lots");
}

TEST_F(EnvironmentTest, AnEmptyValueIsAMistake) {
  variables_["CUDA_DEVICE_MEMORY_LIMIT"] = "";
  EXPECT_NE(read().bad_name, nullptr);
}

}  // namespace
}  // namespace hami::vgpu
