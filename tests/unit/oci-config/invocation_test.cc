#include "oci-config/invocation.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace hami::oci {

namespace {

using enum Subcommand;

// The words of a command line; no word of these has a blank.
std::vector<const char*> words(std::string& line) {
  std::vector<const char*> argv;
  bool inside = false;
  for (char& c : line) {
    if (c == ' ') c = '\0';
    if (c != '\0' && !inside) argv.push_back(&c);
    inside = c != '\0';
  }
  return argv;
}

struct Case {
  const char* line;
  Subcommand subcommand = none;
  std::string_view id = {};
  std::string_view bundle = {};
  std::string_view root = {};
  std::string_view log = {};
};

class Invocations : public testing::TestWithParam<Case> {};

TEST_P(Invocations, AreReadAsTheLowLevelRuntimeReadsThem) {
  const Case& expected = GetParam();
  std::string line = expected.line;

  const Invocation got = parse_invocation(words(line));

  EXPECT_EQ(got.subcommand, expected.subcommand) << expected.line;
  EXPECT_EQ(got.container_id, expected.id) << expected.line;
  EXPECT_EQ(got.bundle, expected.bundle) << expected.line;
  EXPECT_EQ(got.root, expected.root) << expected.line;
  EXPECT_EQ(got.log, expected.log) << expected.line;
  EXPECT_FALSE(got.ambiguous) << expected.line;
}

constexpr Case kContainerd[] = {
    {"runc --root /run/containerd/runc/k8s.io --log /b/log.json --log-format json --systemd-cgroup create "
     "--bundle /b --pid-file /b/init.pid --no-pivot --no-new-keyring --console-socket /tmp/pty1/pty.sock c1",
     create, "c1", "/b", "/run/containerd/runc/k8s.io", "/b/log.json"},
    {"/usr/bin/hami-runtime --root /var/run/docker/runtime-runc/moby --log /b/log.json --log-format json "
     "start c1",
     other, "", "", "/var/run/docker/runtime-runc/moby", "/b/log.json"},
    {"runc --root /r --log /l --log-format json exec --process /tmp/runc-process1 --console-socket /s "
     "--detach "
     "--pid-file /b/e.pid c1",
     other, "", "", "/r", "/l"},
    {"runc --root /r --log /l --log-format json kill --all c1 9", other, "", "", "/r", "/l"},
    {"runc --root /r --log /l --log-format json delete --force c1", other, "", "", "/r", "/l"},
    {"runc --root /r --log /l --log-format json update --resources - c1", other, "", "", "/r", "/l"},
    {"runc --root /r --log /l --log-format json ps --format json c1", other, "", "", "/r", "/l"},
    {"runc --root /r --log /l --log-format json checkpoint --image-path /i --work-path /w --empty-ns network "
     "c1",
     other, "", "", "/r", "/l"},
    {"runc --root /r --log /l --log-format json restore --image-path /i --work-path /w --tcp-established "
     "--ext-unix-sk --file-locks --manage-cgroups-mode soft --empty-ns network --detach --pid-file /p "
     "--console-socket /s --no-pivot --bundle /b c1",
     restore, "c1", "/b", "/r", "/l"},
    {"runc features", other},
    {"runc --version", none},
};
INSTANTIATE_TEST_SUITE_P(OfContainerdAndDocker, Invocations, testing::ValuesIn(kContainerd));

constexpr Case kPodman[] = {
    {"hami-runtime --systemd-cgroup --log-format=json --log /run/oci-log create --bundle /b --pid-file /p c1",
     create, "c1", "/b", "", "/run/oci-log"},
    {"crun --cgroup-manager disabled create --bundle /b --pid-file /p --console-socket /tmp/conmon-term.X c1",
     create, "c1", "/b"},
    {"crun --debug=true --root=/tmp/r create --bundle /b --pid-file /p c1", create, "c1", "/b", "/tmp/r"},
    {"crun --log-format=json --log /l exec --pid-file /p --process /f --detach --tty --console-socket /s c1",
     other, "", "", "", "/l"},
    {"crun start c1", other},
    {"crun kill c1 15", other},
    {"crun update --resources=/var/tmp/podman1 c1", other},
    {"crun restore --bundle /b --pid-file /p --detach --image-path /i --work-path /b c1", restore, "c1",
     "/b"},
    {"runc --systemd-cgroup --root=/run/runc create --bundle /b --pid-file /b/pidfile --console-socket /s c1",
     create, "c1", "/b", "/run/runc"},
    {"runc --root /run/runc --systemd-cgroup kill c1 KILL", other, "", "", "/run/runc"},
};
INSTANTIATE_TEST_SUITE_P(OfPodmanAndCrio, Invocations, testing::ValuesIn(kPodman));

constexpr Case kByHand[] = {
    {"runc", none},
    {"runc --", none},
    {"runc -", other},
    {"runc help", other},
    {"runc -root /r run -bundle /b c1", run, "c1", "/b", "/r"},
    {"runc -root=/r run -bundle=/b c1", run, "c1", "/b", "/r"},
    {"runc run -b /b c1", run, "c1", "/b"},
    {"runc run -b=/b c1", run, "c1", "/b"},
    {"crun run -b/b c1", run, "c1", "/b"},
    {"crun run --bund /b c1", run, "c1", "/b"},
    {"crun run --pid /p --bun=/b --det c1", run, "c1", "/b"},
    {"crun --log-f json --roo=/x --log /l create c1", create, "c1", "", "", "/l"},
    {"runc run c1 --bundle /b", run, "c1", "/b"},
    {"runc run c1 --bundle /b -d --pid-file /p", run, "c1", "/b"},
    {"runc run --bundle /a --bundle /b c1", run, "c1", "/b"},
    {"runc --root /a --root=/b --log /x --log /y create c1", create, "c1", "", "/b", "/y"},
    {"runc run --bundle= c1", run, "c1", ""},
    {"runc run --no-pivot=false --detach=true --bundle /b c1", run, "c1", "/b"},
    {"runc -- create -- -x", create, "-x"},
    {"runc create --bundle /b -- --bundle", create, "--bundle", "/b"},
    {"runc create --bundle -- c1", create, "c1", "--"},
    {"runc create --pid-file create --bundle run restore", create, "restore", "run"},
    {"runc create create --bundle /b", create, "create", "/b"},
    {"runc --root create state create", other, "", "", "create"},
    {"runc --log create --log-format create kill create 9", other, "", "", "", "create"},
    {"runc --cgroup-manager create delete create", other},
    {"runc --rootless create start c1", other},
    {"runc --criu create start c1", other},
    {"runc exec c1 create --bundle /b", other},
    {"runc --version create --bundle /b c1", none},
    {"crun -V create c1", none},
    {"runc --help create --bundle /b c1", none},
    {"runc --version=false create --bundle /b c1", create, "c1", "/b"},
    {"runc create --bundle", create},
    {"runc --root", none},
    {"runc create --=x --bundle=/b c1", create, "c1", "/b"},
    {"runc --podman-runtime-flag=x create --bundle=/b c1", create, "c1", "/b"},
    {"runc run --pidfd-socket /s --preserve-fds 3 --keep --no-subreaper --bundle /b c1", run, "c1", "/b"},
    {"crun create -f /elsewhere.json -b /b c1", create, "c1", "/b"},
};
INSTANTIATE_TEST_SUITE_P(ByHand, Invocations, testing::ValuesIn(kByHand));

Invocation parse(std::string line) {
  static std::string kept;  // the result has views into it; the next call ends them
  kept = std::move(line);
  return parse_invocation(words(kept));
}

TEST(Invocation, SaysWhenAnUnknownOptionMakesItUncertain) {
  EXPECT_TRUE(parse("runc create --new-option value c1").ambiguous);
  EXPECT_TRUE(parse("runc --new-option value create c1").ambiguous);
  EXPECT_FALSE(parse("runc create --new-option=value c1").ambiguous);
  EXPECT_TRUE(parse("crun create --no- c1").ambiguous) << "the beginning of several options";
}

TEST(Invocation, DoesNotTakeTheHelpOfACommandForTheCommand) {
  EXPECT_EQ(parse("runc create --help").subcommand, other);
  EXPECT_EQ(parse("runc run -h --bundle /b c1").subcommand, other);
  EXPECT_EQ(parse("runc run -h=false --bundle /b c1").subcommand, run);
}

TEST(Invocation, ReadsTheLogFormatAndTheVersionSwitch) {
  EXPECT_EQ(parse("runc --log-format json --version").log_format, LogFormat::json);
  EXPECT_TRUE(parse("runc --log-format json --version").version);
  EXPECT_TRUE(parse("crun -V").version);
  EXPECT_EQ(parse("runc --log-format=json --log-format text state x").log_format, LogFormat::text);
}

TEST(Invocation, ReadsBooleansAsGoDoes) {
  EXPECT_TRUE(parse("runc --systemd-cgroup create c1").systemd_cgroup);
  EXPECT_TRUE(parse("runc --systemd-cgroup=true create c1").systemd_cgroup);
  EXPECT_TRUE(parse("runc -systemd-cgroup create c1").systemd_cgroup);
  for (const char* no : {"false", "0", "f", "F", "False", "FALSE"}) {
    EXPECT_FALSE(parse(std::string("runc --systemd-cgroup=") + no + " create c1").systemd_cgroup) << no;
  }
  EXPECT_FALSE(parse("runc --systemd-cgroup --systemd-cgroup=false create c1").systemd_cgroup);
}

TEST(Invocation, ReadsTheConfigFileThatCrunCanBeGiven) {
  EXPECT_EQ(parse("crun create --config /c.json c1").config, "/c.json");
  EXPECT_EQ(parse("crun create -f/c.json c1").config, "/c.json");
}

TEST(Invocation, OfNoWordsAtAllIsNone) {
  EXPECT_EQ(parse_invocation({}).subcommand, none);
  EXPECT_EQ(parse("runc create").container_id, "");
}

}  // namespace
}  // namespace hami::oci
