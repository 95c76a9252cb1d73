// The short way of hami-runtime, before the C library starts, and the long way decide the same.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/fake/runtime/node.h"

namespace hami::fake {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

using Words = std::vector<std::string>;
using Environment = std::map<std::string, std::string>;

// A real runc, where a configuration leads to it, puts the time before its message.
std::string without_time(const std::string& line) {
  return line.rfind("time=\"", 0) == 0 ? line.substr(line.find(' ')) : line;
}

class ShortWay : public ::testing::Test {
 protected:
  struct Seen {
    Outcome outcome;
    std::string argv;
    std::string env;
    std::string cwd;
  };

  Seen see(const char* program, Words words, const Environment& env) {
    fs::remove_all(node.dir / "out");
    fs::create_directories(node.dir / "out");
    words.insert(words.begin(), program);
    Seen seen{node.call(words, env), node.recorded("argv"), node.recorded("env"), node.recorded("cwd")};
    return seen;
  }

  void expect_same(const Words& words, const Environment& env = {}) {
    Environment quiet = env;
    quiet.emplace("FAKE_RUNC_INIT", "");
    const Seen fast = see(HAMI_RUNTIME, words, quiet);
    const Seen slow = see(HAMI_LONG_WAY, words, quiet);
    const std::string what = words.empty() ? "" : words.front();
    EXPECT_EQ(fast.argv, slow.argv) << what;
    EXPECT_EQ(fast.env, slow.env) << what;
    EXPECT_EQ(fast.cwd, slow.cwd) << what;
    EXPECT_EQ(fast.outcome.status, slow.outcome.status) << what;
    EXPECT_EQ(fast.outcome.out, slow.outcome.out) << what;
    EXPECT_EQ(without_time(fast.outcome.err), without_time(slow.outcome.err)) << what;
  }

  Node node;
};

TEST_F(ShortWay, AgreesOnEveryCommandLine) {
  for (const Words& words :
       {Words{}, Words{"state", "c"}, Words{"--root", "/r", "start", "c"},
        Words{"--root=/r", "kill", "c", "9"}, Words{"delete", "--force", "c"}, Words{"--log", "state"},
        Words{"--unknown", "state", "c"}, Words{"-h"}, Words{"--help"}, Words{"--version"}, Words{"-v"},
        Words{"help"}, Words{"features"}, Words{"--"}, Words{"--", "state", "c"}, Words{"", "c"},
        Words{"exec", "c", "create", "--bundle", "x"},
        Words{"ps", "--format", "json", std::string(5000, 'c')}}) {
    expect_same(words);
    expect_same(words, {{"FAKE_RUNC_STATUS", "3"}});
  }
}

TEST_F(ShortWay, AgreesOnEveryConfiguration) {
  const std::string quoted = "\"" + node.fake_runc + "\"";
  const std::vector<std::string> configs{
      "",
      "[runtime]\nlow_level = " + quoted + "\n",
      "[runtime]\nlow_level = [\"/nonexistent/runc\", " + quoted + "]\n",
      "[runtime]\nlow_level = [\"hami-no-such-runtime\", " + quoted + "]\n",
      "[runtime]\nlow_level = '" + node.fake_runc + "'\n",
      "[runtime]\nlow_level = \"" + (node.dir / "bundles").string() + "\"\n",
      "[runtime]\nlow_level = \"" HAMI_RUNTIME "\"\n",
      "[runtime]\nlow_level = \"/" + std::string(2000, 'x') + "\"\n",
      "[runtime]\nlow_level = " + quoted + "\n[broken\n",
      "# " + std::string(20000, 'x') + "\n[runtime]\nlow_level = " + quoted + "\n",
  };
  for (const std::string& config : configs) {
    write(node.dir / "config.toml", config);
    ::chmod((node.dir / "config.toml").c_str(), 0644);
    expect_same({"state", "c"});
    ::chmod((node.dir / "config.toml").c_str(), 0666);
    expect_same({"state", "c"});
  }
  fs::remove(node.dir / "config.toml");
  expect_same({"state", "c"});
  fs::create_directories(node.dir / "config.toml");
  expect_same({"state", "c"});
  expect_same({"state", "c"}, {{"HAMI_CONFIG_FILE", ""}});
}

TEST_F(ShortWay, StartsNoCLibrary) {
#if defined(HAMI_HAS_SHORT_WAY)
  constexpr const char* kStrace = "/usr/bin/strace";
  if (!fs::exists(kStrace)) GTEST_SKIP() << "needs strace";
  const fs::path trace = node.dir / "trace";
  node.call({kStrace, "-o", trace, HAMI_RUNTIME, "state", "c1"});

  const std::string calls = read(trace);
  const auto exec = calls.find("execve(", 1);
  ASSERT_NE(exec, std::string::npos);
  EXPECT_THAT(calls.substr(0, exec), Not(HasSubstr("brk(")));
  EXPECT_THAT(calls.substr(exec), HasSubstr(node.fake_runc));
#else
  GTEST_SKIP() << "programs of this build start as every other: see runtime-shim/CMakeLists.txt";
#endif
}

}  // namespace
}  // namespace hami::fake
