#include "oci-config/invocation.h"

#include <vector>

#include <gtest/gtest.h>

namespace hami::oci {
namespace {

struct Case {
  std::vector<const char*> argv;
  Subcommand subcommand;
  std::string_view id;
  std::string_view bundle;
  std::string_view root;
  std::string_view log;
};

class InvocationCase : public testing::TestWithParam<Case> {};

TEST_P(InvocationCase, IsReadAsTheLowLevelRuntimeReadsIt) {
  const Case& expected = GetParam();

  const Invocation got = parse_invocation(expected.argv);

  EXPECT_EQ(got.subcommand, expected.subcommand);
  EXPECT_EQ(got.container_id, expected.id);
  EXPECT_EQ(got.bundle, expected.bundle);
  EXPECT_EQ(got.root, expected.root);
  EXPECT_EQ(got.log, expected.log);
  EXPECT_FALSE(got.ambiguous);
}

using enum Subcommand;
INSTANTIATE_TEST_SUITE_P(
    Engines, InvocationCase,
    testing::Values(Case{{"runc", "--root", "/run/containerd/runc/default", "--log", "/b/log.json",
                          "--log-format", "json", "create", "--bundle", "/b", "--pid-file", "/b/init.pid",
                          "x1"},
                         create,
                         "x1",
                         "/b",
                         "/run/containerd/runc/default",
                         "/b/log.json"},
                    Case{{"runc", "--root=/r", "--systemd-cgroup", "create", "--no-pivot", "--console-socket",
                          "/tmp/pty.sock", "-b", "/b", "x1"},
                         create,
                         "x1",
                         "/b",
                         "/r",
                         ""},
                    Case{{"runc", "-root", "/r", "run", "-bundle=/b", "x1"}, run, "x1", "/b", "/r", ""},
                    Case{{"runc", "run", "x1", "--bundle", "/b"}, run, "x1", "/b", "", ""},
                    Case{{"runc", "run", "--bundle", "/a", "--bundle", "/b", "x1"}, run, "x1", "/b", "", ""},
                    Case{{"runc", "run", "-b=/b", "x1"}, run, "x1", "/b", "", ""},
                    Case{{"crun", "--root", "/r", "run", "-b/b", "x1"}, run, "x1", "/b", "/r", ""},
                    Case{{"crun", "--cgroup-manager", "cgroupfs", "create", "--bundle", "/b", "x1"},
                         create,
                         "x1",
                         "/b",
                         "",
                         ""},
                    Case{{"runc", "--root", "create", "state", "create"}, other, "", "", "create", ""},
                    Case{{"runc", "kill", "create", "9"}, other, "", "", "", ""},
                    Case{{"runc", "--", "create", "--", "-x"}, create, "-x", "", "", ""},
                    Case{{"runc", "--debug=false", "--rootless", "auto", "create", "--no-new-keyring", "x1"},
                         create,
                         "x1",
                         "",
                         "",
                         ""},
                    Case{{"runc", "restore", "--image-path", "/i", "--bundle", "/b", "-d", "x1"},
                         restore,
                         "x1",
                         "/b",
                         "",
                         ""},
                    Case{{"runc", "exec", "--process", "/tmp/p", "--detach", "x1"}, other, "", "", "", ""},
                    Case{{"runc"}, none, "", "", "", ""}, Case{{"runc", "--version"}, none, "", "", "", ""}));

TEST(Invocation, SaysWhenAnUnknownOptionMakesItUncertain) {
  const std::vector<const char*> argv{"runc", "create", "--new-option", "value", "x1"};

  EXPECT_TRUE(parse_invocation(argv).ambiguous);
}

TEST(Invocation, ReadsTheLogFormat) {
  const std::vector<const char*> argv{"runc", "--log-format", "json", "--version"};

  const Invocation got = parse_invocation(argv);

  EXPECT_EQ(got.log_format, LogFormat::json);
  EXPECT_TRUE(got.version);
}

}  // namespace
}  // namespace hami::oci
