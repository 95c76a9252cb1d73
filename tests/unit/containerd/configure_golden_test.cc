// Every folder of tests/golden/configure: the file before, the options, and the file after.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "containerd/edit.h"
#include "tests/golden/fixtures.h"

namespace hami::containerd {
namespace {

namespace fs = std::filesystem;

class ConfigureGolden : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    dir_ = fs::path(HAMI_GOLDEN_DIR) / GetParam();
    docker_ = GetParam().rfind("docker", 0) == 0;
    const std::string words = golden::slurp(dir_ / "options");
    options_.set_default = words.find("--set-default") != std::string::npos;
    options_.enable_cdi = words.find("--cdi") != std::string::npos;
    if (words.find("--runtime-name slices") != std::string::npos) options_.runtime_name = "slices";
    options_.is_template = GetParam().find("template") != std::string::npos;
    options_.template_version = GetParam().find("_v3") != std::string::npos ? 3 : 2;
  }

  [[nodiscard]] fs::path file(const char* stem) const {
    return dir_ / (std::string(stem) + (docker_ ? ".json" : ".toml"));
  }
  [[nodiscard]] Result<std::string> add(const std::string& text) const {
    return docker_ ? add_to_docker(text, options_) : add_to_containerd(text, options_);
  }
  [[nodiscard]] Result<std::string> remove(const std::string& text) const {
    return docker_ ? remove_from_docker(text, options_) : remove_from_containerd(text, options_);
  }

  fs::path dir_;
  bool docker_ = false;
  EngineOptions options_;
};

TEST_P(ConfigureGolden, GivesExactlyTheExpectedFile) {
  const auto got = add(golden::slurp(file("before")));

  ASSERT_TRUE(got) << got.error().line();
  if (std::getenv("HAMI_UPDATE_GOLDEN") != nullptr) std::ofstream(file("after"), std::ios::binary) << *got;
  EXPECT_EQ(*got, golden::slurp(file("after")));
}

TEST_P(ConfigureGolden, ChangesNothingTheSecondTime) {
  const std::string after = golden::slurp(file("after"));

  EXPECT_EQ(add(after).value_or("error"), after);
}

TEST_P(ConfigureGolden, RemovingLeavesNothingOfOurs) {
  const auto got = remove(golden::slurp(file("after")));

  ASSERT_TRUE(got) << got.error().line();
  EXPECT_EQ(got->find("hami-runtime"), std::string::npos) << *got;
}

INSTANTIATE_TEST_SUITE_P(Files, ConfigureGolden, testing::ValuesIn(golden::cases(HAMI_GOLDEN_DIR)),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace hami::containerd
