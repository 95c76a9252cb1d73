#include "hook/proc_override.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "temp_tree.h"

namespace hami::hook {
namespace {

namespace fs = std::filesystem;

TEST(ProcOverride, ReplacesWholeLinesOnly) {
  const std::string params = "EnableMSI: 1\nModifyDeviceFiles: 1\nModifyDeviceFiles: 10\nLast: 1";

  EXPECT_EQ(replace_line(params, "ModifyDeviceFiles: 1", "ModifyDeviceFiles: 0"),
            "EnableMSI: 1\nModifyDeviceFiles: 0\nModifyDeviceFiles: 10\nLast: 1");
}

TEST(ProcOverride, KeepsTheTextWhenNoLineMatches) {
  EXPECT_EQ(replace_line("a\n\nb\n", "c", "d"), "a\n\nb\n");
  EXPECT_EQ(replace_line("", "c", "d"), "");
  EXPECT_EQ(replace_line("\n", "c", "d"), "\n");
}

TEST(ProcOverride, ReplacesALastLineWithoutEnd) { EXPECT_EQ(replace_line("a\nb", "b", "c"), "a\nc"); }

TEST(ProcOverride, KeepsNulBytes) {
  const std::string content("a\0b\nc\n", 6);
  EXPECT_EQ(replace_line(content, "c", "d"), std::string("a\0b\nd\n", 6));
}

class ProcOverrideTest : public ::testing::Test {
 protected:
  [[nodiscard]] Result<> apply() const {
    return override_proc_file(*Root::open(tree_.rootfs()), {"/proc/driver/nvidia/params", "a: 1", "a: 0"});
  }
  TempTree tree_;
};

TEST_F(ProcOverrideTest, DoesNothingWhenTheFileDoesNotExist) { EXPECT_TRUE(apply()); }

TEST_F(ProcOverrideTest, RefusesAFileOfTheImage) {
  TempTree::write(tree_.rootfs() / "proc/driver/nvidia/params", "a: 1\n");

  const auto result = apply();

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::denied);
}

TEST_F(ProcOverrideTest, RefusesALinkOnTheWay) {
  TempTree::write(tree_.rootfs() / "real/params", "a: 1\n");
  fs::create_directories(tree_.rootfs() / "proc/driver");
  fs::create_symlink("/real", tree_.rootfs() / "proc/driver/nvidia");

  const auto result = apply();

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::denied);
  EXPECT_THAT(result.error().message, ::testing::HasSubstr("is a link"));
}

TEST_F(ProcOverrideTest, RefusesAFifoWithoutWaiting) {
  fs::create_directories(tree_.rootfs() / "proc/driver/nvidia");
  ASSERT_EQ(::mkfifo((tree_.rootfs() / "proc/driver/nvidia/params").c_str(), 0666), 0);

  EXPECT_FALSE(apply());
}

TEST_F(ProcOverrideTest, LeavesAFileWithoutTheLineAlone) {
  TempTree::write(tree_.rootfs() / "proc/driver/nvidia/params", "a: 0\n");

  EXPECT_TRUE(apply());
  EXPECT_EQ(TempTree::read(tree_.rootfs() / "proc/driver/nvidia/params"), "a: 0\n");
}

}  // namespace
}  // namespace hami::hook
