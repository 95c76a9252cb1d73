// What hami-runtime does not decide reaches the low-level runtime unchanged.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>
#include <sstream>

#include "tests/fake/runtime/node.h"

namespace hami::fake {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class PassThrough : public ::testing::Test {
 protected:
  Node node;
};

TEST_F(PassThrough, ArgumentsStayAsTheyAre) {
  const std::vector<std::vector<std::string>> calls{
      {"state", "c1"},
      {"--root", "/r", "--log=/l", "kill", "c1", "9"},
      {"delete", "--force", "c1"},
      {"exec", "--process", "/p", "c1"},
      {"--root", "create", "state", "create"},
      {"-bundle", "x"},
      {"unknown", "", "a b", "--"},
      {"features"},
  };
  for (const auto& call : calls) {
    std::string expected = node.fake_runc + "\n";
    for (const auto& word : call) expected += word + "\n";
    const Outcome outcome = node.run(call, {{"FAKE_RUNC_INIT", ""}});
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(outcome.out + outcome.err, "");
    EXPECT_EQ(node.recorded("argv"), expected);
  }
}

TEST_F(PassThrough, TheExitStatusIsTheLowLevelRuntimes) {
  EXPECT_EQ(node.run({"exec", "c1", "false"}, {{"FAKE_RUNC_STATUS", "42"}}).status, 42);
}

TEST_F(PassThrough, EnvironmentDirectoryAndDescriptorsStayAsTheyAre) {
  const int inherited = ::open("/dev/zero", O_RDONLY);  // deliberately without O_CLOEXEC
  ASSERT_GE(inherited, 3);
  node.run({"start", "c1"}, {{"FAKE_RUNC_INIT", "1 1"}, {"LISTEN_FDS", "1"}, {"_OCI_SYNCPIPE", "7"}});
  ::close(inherited);

  EXPECT_EQ(node.recorded("env"), "FAKE_RUNC_INIT=1 1\nFAKE_RUNC_OUT=" + (node.dir / "out").string() +
                                      "\nHAMI_CONFIG_FILE=" + (node.dir / "config.toml").string() +
                                      "\nLISTEN_FDS=1\n_OCI_SYNCPIPE=7\n");
  EXPECT_EQ(node.recorded("cwd"), fs::current_path().string() + "\n");
  EXPECT_THAT(node.recorded("fds"), HasSubstr(std::to_string(inherited) + " /dev/zero\n"));
  EXPECT_THAT(node.recorded("fds"), Not(HasSubstr("config.toml")));
}

TEST_F(PassThrough, VersionShowsTheLowLevelRuntimesLinesAndThenOurs) {
  const Outcome outcome = node.run({"--version"});

  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out,
              AllOf(StartsWith("runc version 1.2.3\n"), EndsWith("\nhami-runtime: " HAMI_VERSION "\n")));
}

TEST_F(PassThrough, WorksWithoutPathAndWithAnEmptyEnvironment) {
  node.configure("", "true");

  EXPECT_EQ(node.run({"state", "c1"}, {{"PATH", ""}}).status, 0);
}

TEST_F(PassThrough, AMistakeInTheConfigurationStopsNoDelete) {
  node.configure("[policy]\nunknown = 1\n");
  EXPECT_EQ(node.run({"delete", "c1"}).status, 0);
  EXPECT_THAT(node.recorded("argv"), StartsWith(node.fake_runc + "\ndelete\n"));
}

TEST_F(PassThrough, AFileThatOthersCanWriteChoosesNoProgram) {
  node.configure("", "/bin/false");
  ::chmod((node.dir / "config.toml").c_str(), 0666);

  // The default, runc or crun, then answers; /bin/false would say nothing.
  EXPECT_THAT(node.run({"--version"}).out, HasSubstr("version"));
}

TEST_F(PassThrough, SaysInOneLineThatThereIsNoLowLevelRuntime) {
  node.configure("", "/nonexistent/runc");
  const Outcome outcome = node.run({"state", "c1"});

  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, AllOf(StartsWith("hami-runtime: "), HasSubstr("/nonexistent/runc")));
}

constexpr const char* kStrace = "/usr/bin/strace";

// Files that a program opens; what it does not find is not opened.
std::set<std::string> opened(const Node& node, std::vector<std::string> call) {
  const fs::path trace = node.dir / "trace";
  const std::vector<std::string> strace{kStrace, "-f", "-o", trace, "-e", "trace=open,openat,openat2,execve"};
  call.insert(call.begin(), strace.begin(), strace.end());
  if (node.call(call).status != 0) return {"strace failed"};
  std::set<std::string> files;
  std::istringstream lines(read(trace));
  for (std::string line; std::getline(lines, line);) {
    const auto quote = line.find('"');
    if (quote == std::string::npos || line.find("ENOENT") != std::string::npos) continue;
    files.insert(line.substr(quote + 1, line.find('"', quote + 1) - quote - 1));
  }
  return files;
}

TEST_F(PassThrough, OpensNothingButItselfAndItsConfigurationWithoutARequest) {
  if (!fs::exists(kStrace)) GTEST_SKIP() << "needs strace";
  const fs::path bundle = node.bundle("b", {});
  const std::vector<std::vector<std::string>> calls{{"state", "c1"},
                                                    {"start", "c1"},
                                                    {"kill", "c1", "9"},
                                                    {"create", "--bundle", bundle, "c1"},
                                                    {"delete", "c1"}};
  for (std::vector<std::string> call : calls) {
    const std::string command = call.front();
    call.insert(call.begin(), {node.fake_runc, "--root", node.root});
    const auto alone = opened(node, call);
    call.front() = HAMI_RUNTIME;
    auto ours = opened(node, call);
    ASSERT_EQ(ours.count(node.fake_runc), 1U) << "the low-level runtime was not reached";
    for (const std::string& file : alone) ours.erase(file);
    ours.erase(HAMI_RUNTIME);
    ours.erase(node.dir / "config.toml");
    ours.erase(bundle / "config.json");  // a real runc reads it; the fake one does not
    EXPECT_THAT(ours, ::testing::IsEmpty()) << command;
  }
}

}  // namespace
}  // namespace hami::fake
