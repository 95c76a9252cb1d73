#include "hamictl/configure.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "hamictl/arguments.h"
#include "hamictl/line_diff.h"

namespace hami::hamictl {
namespace {

namespace fs = std::filesystem;

class Configure : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "hami-configure.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    request_.config = dir_ + "/etc/daemon.json";
    request_.memory = dir_ + "/memory";
  }
  void TearDown() override { fs::remove_all(dir_); }

  void write(const std::string& text) const {
    fs::create_directories(dir_ + "/etc");
    std::ofstream(request_.config) << text;
  }
  [[nodiscard]] std::string text() const {
    std::ifstream in(request_.config, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::string dir_;
  ConfigureRequest request_;
};

TEST_F(Configure, WritesOnceAndUndoGivesTheOriginalBack) {
  const std::string original = "{\n\t\"debug\":   true\n}\n\n";
  write(original);

  const auto first = configure(request_);
  ASSERT_TRUE(first) << first.error().line();
  EXPECT_NE(first->diff.find("+\t  \"hami\""), std::string::npos) << first->diff;
  EXPECT_NE(first->next.find("a reload is enough"), std::string::npos);
  const auto second = configure(request_);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->diff, "");

  request_.undo = true;
  ASSERT_TRUE(configure(request_));
  EXPECT_EQ(text(), original);
}

TEST_F(Configure, UndoAfterASecondChangeOfOptionsGivesTheFirstOriginalBack) {
  write("{}\n");
  ASSERT_TRUE(configure(request_));
  request_.options.set_default = true;
  ASSERT_TRUE(configure(request_));

  request_.undo = true;
  ASSERT_TRUE(configure(request_));

  EXPECT_EQ(text(), "{}\n");
}

TEST_F(Configure, UndoRemovesAFileThatWasNotThere) {
  ASSERT_TRUE(configure(request_));
  ASSERT_TRUE(fs::exists(request_.config));

  request_.undo = true;
  ASSERT_TRUE(configure(request_));

  EXPECT_FALSE(fs::exists(request_.config));
}

TEST_F(Configure, UndoKeepsWhatTheUserAddedSince) {
  write("{}\n");
  ASSERT_TRUE(configure(request_));
  std::string changed = text();
  changed.insert(changed.find('{') + 1, "\n  \"debug\": true,");
  write(changed);

  request_.undo = true;
  ASSERT_TRUE(configure(request_));

  EXPECT_EQ(text().find("hami"), std::string::npos);
  EXPECT_NE(text().find("\"debug\": true"), std::string::npos);
}

TEST_F(Configure, DryRunShowsTheDiffAndWritesNothing) {
  write("{}\n");
  request_.dry_run = true;

  const auto got = configure(request_);

  ASSERT_TRUE(got);
  EXPECT_NE(got->diff.find("@@ -1,1 +1,5 @@"), std::string::npos) << got->diff;
  EXPECT_EQ(text(), "{}\n");
  EXPECT_FALSE(fs::exists(request_.memory));
}

TEST_F(Configure, LeavesABrokenFileAlone) {
  write("{ broken");

  const auto got = configure(request_);

  ASSERT_FALSE(got);
  EXPECT_NE(got.error().message.find("daemon.json': line 1, column 3:"), std::string::npos)
      << got.error().message;
  EXPECT_EQ(text(), "{ broken");
}

TEST_F(Configure, KeepsTheModeOfTheFile) {
  write("{}\n");
  fs::permissions(request_.config, fs::perms::owner_read | fs::perms::owner_write);

  ASSERT_TRUE(configure(request_));

  struct stat info {};
  ASSERT_EQ(::stat(request_.config.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
}

TEST_F(Configure, RefusesNamesThatCouldBreakTheFile) {
  request_.options.runtime_name = "a\"b";
  EXPECT_FALSE(configure(request_));
  request_.options.runtime_name = "hami";
  request_.options.runtime_path = "relative";
  EXPECT_FALSE(configure(request_));
}

TEST(LineDiff, ShowsChangesWithThreeLinesAround) {
  EXPECT_EQ(line_diff("a\nb\nc\nd\ne\nf\n", "a\nb\nc\nd\nX\nf\n", "file"),
            "--- file\n+++ file\n@@ -2,5 +2,5 @@\n b\n c\n d\n-e\n+X\n f\n");
  EXPECT_EQ(line_diff("same\n", "same\n", "file"), "");
}

TEST(Arguments, NamesTheOptionThatTheVerbDoesNotHave) {
  const std::vector<const char*> argv{"hamictl", "ps", "--engine", "docker"};

  const auto got = parse_arguments(argv);

  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().line(), "unknown option '--engine'; see hamictl --help");
}

TEST(Arguments, ReadsBothFormsOfAValue) {
  const std::vector<const char*> argv{"hamictl",        "configure", "--engine=containerd",
                                      "--runtime-name", "x",         "--undo"};

  const auto got = parse_arguments(argv);

  ASSERT_TRUE(got);
  EXPECT_EQ(got->configure.engine, Engine::containerd);
  EXPECT_EQ(got->configure.options.runtime_name, "x");
  EXPECT_TRUE(got->configure.undo);
}

}  // namespace
}  // namespace hami::hamictl
