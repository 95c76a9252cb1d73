#include "runtime-shim/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"

namespace hami::shim {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string refusal(std::string_view toml) {
  const auto config = parse_config(toml, "config.toml");
  return config ? "accepted" : config.error().line();
}

TEST(Config, AnEmptyFileGivesTheDefaults) {
  const auto config = parse_config("", "config.toml");

  EXPECT_EQ(config->low_level, (std::vector<std::string>{"runc", "crun"}));
  EXPECT_EQ(config->roots.state_dir, "/run/hami");
  EXPECT_EQ(config->paths, Paths{});
  EXPECT_EQ(config->policy, Policy{});
}

TEST(Config, ReadsEveryKey) {
  const auto config = parse_config(R"(
[runtime]
low_level = "/opt/bin/crun"
log = "/var/log/hami.log"
[roots]
driver = "/node"
dev = "/node/d"
proc = "/node/proc"
sys = "/node/sys"
state = "/tmp/state"
[paths]
hook = "/b/hook"
libvgpu = "/b/libvgpu.so"
probe = "/b/probe"
[recipes]
dirs = ["/r1", "/r2"]
cdi_dirs = ["/c"]
[kubernetes]
volcano_memory_factor = 10
[policy]
env_requests = "never"
unenforced = "allow"
privileged_parts = "refuse"
allowed_modes = ["mps", "none", "mps"]
vendor_variables = "shared"
scheduler = "numa"
memory_scaling = 1.5
core_scaling = 2
split_count = 4
default_count = 2
default_memory = 5000
default_cores = 25
card_boards = false
share_floor = 10
engine_devices = "ignore"
memory_wait = 30
syscalls = ["mbind", "pidfd_getfd"]
lenient = true
[namespaces.a]
count = 4
memory = 100
[namespaces."*"]
cores = 0
)",
                                   "config.toml");

  ASSERT_TRUE(config) << config.error().line();
  EXPECT_EQ(config->low_level, std::vector<std::string>{"/opt/bin/crun"});
  EXPECT_EQ(config->log, "/var/log/hami.log");
  EXPECT_EQ(config->roots.driver, "/node");
  EXPECT_EQ(config->roots.dev, "/node/d");
  EXPECT_EQ(config->roots.proc, "/node/proc");
  EXPECT_EQ(config->roots.sys, "/node/sys");
  EXPECT_EQ(config->roots.state_dir, "/tmp/state");
  EXPECT_EQ(config->paths, (Paths{"/b/hook", "/b/libvgpu.so"}));
  EXPECT_EQ(config->roots.probe_program, "/b/probe");
  EXPECT_EQ(config->recipe_dirs, (std::vector<std::string>{"/r1", "/r2"}));
  const Policy expected{
      EnvRequests::never,
      Unenforced::allow,
      VendorVariables::shared,
      EngineDevices::ignore,
      Placement::numa,
      Scaling{1500},
      Scaling{2000},
      4,
      10,
      2,
      Bytes::mib(5000),
      Percent{25},
      false,
      Percent{10},
      30,
      true,
      {"mbind", "pidfd_getfd"},
      {vendors::Mode::mps, vendors::Mode::none},
      PrivilegedParts::refuse,
      {{"a", {4, Bytes::mib(100), std::nullopt}}, {"*", {std::nullopt, std::nullopt, Percent{0}}}}};
  EXPECT_EQ(config->policy, expected);
}

TEST(Config, NamesLineAndKeyOfWhatItDoesNotKnow) {
  EXPECT_THAT(refusal("[policy]\nunenforce = \"allow\"\n"),
              AllOf(HasSubstr("line 2"), HasSubstr("'policy.unenforce'"), HasSubstr("not a key")));
  EXPECT_THAT(refusal("[namespaces.a]\nmemori = 1\n"), HasSubstr("'namespaces.a.memori' is not a key"));
  EXPECT_THAT(refusal("[polcy]\n"), HasSubstr("'polcy' is not a section"));
  EXPECT_THAT(refusal("low_level = \"runc\"\n"), HasSubstr("'low_level'"));
}

TEST(Config, RefusesWrongTypesAndValuesOutOfRange) {
  for (const char* bad : {"[kubernetes]\nvolcano_memory_factor = 0",
                          "[kubernetes]\nvolcano_memory_factor = 1048577",
                          "[policy]\nsplit_count = 0",
                          "[policy]\nsplit_count = \"4\"",
                          "[policy]\nsplit_count = 1.5",
                          "[policy]\nmemory_scaling = 0",
                          "[policy]\nmemory_scaling = nan",
                          "[policy]\ndefault_cores = 101",
                          "[policy]\nallowed_modes = [\"shared\"]",
                          "[policy]\nallowed_modes = []",
                          "[policy]\nsyscalls = [\"Mbind\"]",
                          "[policy]\nprivileged_parts = true",
                          "[namespaces]\na = 1",
                          "[namespaces.a]\nmemory = -1",
                          "[namespaces.a]\ncount = \"1\"",
                          "namespaces = 1",
                          "[policy]\nunenforced = true",
                          "[policy]\nscheduler = \"random\"",
                          "[paths]\nhook = \"hami-hook\"",
                          "[roots]\nstate = \"\"",
                          "[recipes]\ndirs = []",
                          "[recipes]\ndirs = [\"relative\"]",
                          "[runtime]\nlow_level = []",
                          "[runtime]\nlow_level = [1]",
                          "[runtime]\nlow_level = \"a/b\"",
                          "[runtime]\nlow_level = \"\"",
                          "runtime = 3"}) {
    EXPECT_THAT(refusal(bad), HasSubstr("must be")) << bad;
  }
}

TEST(Config, SaysWhereTheSyntaxIsWrong) {
  EXPECT_THAT(refusal("[policy]\nsplit_count = = 4\n"), HasSubstr("'config.toml': line 2"));
}

TEST(Config, TheShippedFileShowsEveryKeyWithItsDefault) {
  const auto text = files::read(HAMI_SOURCE_DIR "/runtime-shim/config.toml", kMaxConfigBytes);
  ASSERT_TRUE(text);
  EXPECT_TRUE(parse_config(*text, "config.toml"));

  std::string uncommented;
  for (const std::string_view line : text::split(*text, '\n')) {
    const bool is_key = line.substr(0, 1) == "#" && line.substr(1, 1) != " " && line.size() > 1;
    uncommented += text::cat({is_key ? line.substr(1) : line, "\n"});
  }
  const auto config = parse_config(uncommented, "config.toml");
  ASSERT_TRUE(config) << config.error().line();
  EXPECT_EQ(config->policy, Policy{});
  EXPECT_EQ(config->paths, Paths{});
  EXPECT_EQ(config->low_level, Config{}.low_level);
  EXPECT_EQ(config->recipe_dirs, Config{}.recipe_dirs);
  EXPECT_EQ(config->roots.driver + config->roots.dev + config->roots.proc + config->roots.sys,
            Config{}.roots.driver + Config{}.roots.dev + Config{}.roots.proc + Config{}.roots.sys);
  EXPECT_EQ(config->roots.state_dir, Config{}.roots.state_dir);
  EXPECT_EQ(config->roots.probe_program, Config{}.roots.probe_program);
  for (const char* key : {"low_level",     "log",
                          "driver",        "dev",
                          "proc",          "sys",
                          "state",         "hook",
                          "libvgpu",       "probe",
                          "dirs",          "env_requests",
                          "unenforced",    "vendor_variables",
                          "scheduler",     "memory_scaling",
                          "core_scaling",  "split_count",
                          "default_count", "default_memory",
                          "default_cores", "lenient",
                          "card_boards",   "share_floor",
                          "allowed_modes", "privileged_parts",
                          "syscalls",      "engine_devices",
                          "memory_wait",   "volcano_memory_factor"}) {
    EXPECT_THAT(uncommented, HasSubstr(text::cat({"\n", key, " = "})));
  }
}

TEST(Config, TheManualPageNamesEveryKeyOfTheShippedFileWithItsDefault) {
  const auto text = files::read(HAMI_SOURCE_DIR "/runtime-shim/config.toml", kMaxConfigBytes);
  const auto page = files::read(HAMI_SOURCE_DIR "/docs/man/hami-config.toml.5.md", kMaxConfigBytes);
  ASSERT_TRUE(text && page);
  unsigned keys = 0;
  for (const std::string_view line : text::split(*text, '\n')) {
    const std::size_t equals = line.find(" = ");
    if (line.substr(0, 1) != "#" || line.substr(1, 1) == " " || equals == std::string_view::npos) continue;
    EXPECT_THAT(*page, HasSubstr(text::cat({"**", line.substr(1, equals - 1), "**", line.substr(equals)})));
    ++keys;
  }
  EXPECT_GE(keys, 26U);
}

TEST(Config, AMissingFileGivesTheDefaults) { EXPECT_TRUE(load_config("/nonexistent/hami/config.toml")); }

TEST(Config, RefusesAFileThatOthersCanWrite) {
  const std::string path = ::testing::TempDir() + "hami-config-test.toml";
  std::ofstream(path) << "";
  ASSERT_EQ(::chmod(path.c_str(), 0666), 0);

  const auto config = load_config(path);

  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Errc::denied);
}

}  // namespace
}  // namespace hami::shim
