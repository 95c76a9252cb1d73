#include "runtime-shim/low_level/low_level.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "runtime-shim/config.h"
#include "runtime-shim/low_level/key.h"

namespace hami::shim {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class LowLevel : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::path(::testing::TempDir()) / "hami-low-level-test";
    fs::remove_all(dir_);
    fs::create_directories(dir_);
  }
  void TearDown() override { fs::remove_all(dir_); }

  std::string program(const std::string& name, mode_t mode = 0755) {
    const fs::path path = dir_ / name;
    std::ofstream(path) << "#!/bin/sh\n";
    ::chmod(path.c_str(), mode);
    return path;
  }

  fs::path dir_;
};

TEST_F(LowLevel, TakesTheFirstThatExists) {
  const std::string second = program("second");

  EXPECT_EQ(*find_low_level({(dir_ / "first").string(), second}, ""), second);
}

TEST_F(LowLevel, FindsNamesInTheSystemsDirectoriesWithoutPath) {
  EXPECT_EQ(*find_low_level({"env"}, ""), "/usr/bin/env");
}

TEST_F(LowLevel, FindsNamesInPathLast) {
  program("env");
  const std::string own = program("hami-test-runtime");

  EXPECT_EQ(*find_low_level({"env"}, dir_.string()), "/usr/bin/env");
  EXPECT_EQ(*find_low_level({"hami-test-runtime"}, "relative::" + dir_.string()), own);
}

TEST_F(LowLevel, NeverLooksInARelativeDirectory) {
  program("hami-test-runtime");
  const fs::path before = fs::current_path();
  fs::current_path(dir_.parent_path());

  const auto found = find_low_level({"hami-test-runtime"}, dir_.filename().string());

  fs::current_path(before);
  EXPECT_FALSE(found);
}

TEST_F(LowLevel, NeverFindsItselfNorACopyOfItself) {
  const fs::path self = fs::read_symlink("/proc/self/exe");
  fs::create_hard_link(self, dir_ / "hardlink");
  fs::create_symlink(self, dir_ / "symlink");
  fs::copy_file(self, dir_ / "copy");

  for (const char* name : {"hardlink", "symlink", "copy"}) {
    EXPECT_FALSE(find_low_level({(dir_ / name).string()}, "")) << name;
  }
}

TEST_F(LowLevel, PassesOverWhatIsNoProgram) {
  fs::create_directory(dir_ / "directory");

  const auto found = find_low_level({(dir_ / "directory").string(), program("data", 0644)}, "");

  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().line(), HasSubstr("install runc or crun"));
}

TEST_F(LowLevel, SaysWhenTheProgramCannotBeStarted) {
  const std::string path = program("broken");
  std::ofstream(path) << "\x7f"
                      << "ELF";
  std::string name = "x";
  char* argv[] = {name.data(), nullptr};

  EXPECT_THAT(become(path, argv).line(), HasSubstr("ENOEXEC"));
}

struct KeyCase {
  const char* toml;
  LowLevelKey::Kind kind;
};

std::vector<std::string> programs(const LowLevelKey& key) {
  return {key.programs.begin(), key.programs.begin() + key.count};
}

TEST(LowLevelKey, AgreesWithTheParserOrSaysComplex) {
  using Kind = LowLevelKey::Kind;
  const KeyCase cases[] = {
      {"", Kind::absent},
      {"# low_level = \"crun\"\n[policy]\nsplit_count = 3\n", Kind::absent},
      {"[runtime]\nlow_level = \"crun\"\n", Kind::simple},
      {"[runtime]\r\nlow_level = \"crun\"\r\n", Kind::simple},
      {"  [runtime]  # here\n\tlow_level=[\"crun\",\"runc\"] # ours\n[policy]\n", Kind::simple},
      {"[runtime]\nlow_level = [ \"/opt/crun\" , \"runc\" , ]", Kind::simple},
      {"[runtime]\nlow_level = 'crun'\n", Kind::complex},
      {"[runtime]\n\"low_level\" = \"crun\"\n", Kind::complex},
      {"[runtime]\nlow_level = [\n\"crun\"]\n", Kind::complex},
      {"[runtime]\nlow_level = \"cr\\u0075n\"\n", Kind::complex},
      {"runtime.low_level = \"crun\"\n", Kind::complex},
      {"runtime = {low_level = \"crun\"}\n", Kind::complex},
      {"[runtime]\nlog = \"\"\"\nlow_level = \"x\"\n\"\"\"\n", Kind::complex},
      {"[runtime]\nlow_level = \"a\"\nlow_level = \"b\"\n", Kind::complex},
      {"[ runtime ]\nlow_level = \"crun\"\n", Kind::complex},
      {"[policy]\nlow_level = \"crun\"\n", Kind::complex},
      {"[runtime]\nlow_level = []\n", Kind::complex},
      {"[runtime]\nlow_level = \"a\" \"b\"\n", Kind::complex},
  };
  for (const KeyCase& c : cases) {
    const LowLevelKey key = find_low_level_key(c.toml);
    EXPECT_EQ(key.kind, c.kind) << c.toml;
    const auto config = parse_config(c.toml, "config.toml");
    if (!config) continue;
    if (key.kind == Kind::complex) continue;
    EXPECT_EQ(key.kind == Kind::absent ? Config{}.low_level : programs(key), config->low_level) << c.toml;
  }
}

}  // namespace
}  // namespace hami::shim
