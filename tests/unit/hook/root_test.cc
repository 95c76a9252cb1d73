#include "hook/root.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "temp_tree.h"

namespace hami::hook {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class RootTest : public ::testing::Test {
 protected:
  [[nodiscard]] Root root() const { return *Root::open(tree_.rootfs()); }
  [[nodiscard]] fs::path in_root(const std::string& path) const { return tree_.rootfs() / path; }
  TempTree tree_;
};

TEST_F(RootTest, MakesALinkAndTheDirectoriesBeforeIt) {
  ASSERT_TRUE(root().link("/usr/lib/vendor/libcuda.so", "libcuda.so.1"));

  EXPECT_EQ(fs::read_symlink(in_root("usr/lib/vendor/libcuda.so")), "libcuda.so.1");
  struct stat info {};
  ASSERT_EQ(::stat(in_root("usr/lib/vendor").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0755U);
}

TEST_F(RootTest, LeavesTheRightLinkAlone) {
  ASSERT_TRUE(root().link("/lib/a.so", "a.so.1"));
  struct stat before {};
  ASSERT_EQ(::lstat(in_root("lib/a.so").c_str(), &before), 0);

  ASSERT_TRUE(root().link("/lib/a.so", "a.so.1"));

  struct stat after {};
  ASSERT_EQ(::lstat(in_root("lib/a.so").c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(RootTest, ReplacesAnotherLinkAndAFile) {
  TempTree::write(in_root("lib/file"), "image content");
  fs::create_symlink("elsewhere", in_root("lib/link"));

  EXPECT_TRUE(root().link("/lib/file", "a"));
  EXPECT_TRUE(root().link("/lib/link", "b"));

  EXPECT_EQ(fs::read_symlink(in_root("lib/file")), "a");
  EXPECT_EQ(fs::read_symlink(in_root("lib/link")), "b");
  EXPECT_EQ(TempTree::names(in_root("lib")), (std::set<std::string>{"file", "link"}));
}

TEST_F(RootTest, NeverReplacesADirectoryAndLeavesNoTemporaryName) {
  fs::create_directories(in_root("lib/libcuda.so"));

  const auto result = root().link("/lib/libcuda.so", "a");

  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("/lib/libcuda.so"));
  EXPECT_EQ(TempTree::names(in_root("lib")), std::set<std::string>{"libcuda.so"});
}

TEST_F(RootTest, ResolvesAbsoluteLinksOfTheImageInsideTheRoot) {
  fs::create_symlink(tree_.host(), in_root("lib"));  // absolute, to a directory that exists on the host

  const auto result = root().link("/lib/libcuda.so", "libcuda.so.1");

  EXPECT_FALSE(result) << "the link dangles inside the root";
  EXPECT_TRUE(tree_.host_untouched());
}

TEST_F(RootTest, ResolvesDotDotLinksOfTheImageInsideTheRoot) {
  fs::create_directories(in_root("usr"));
  fs::create_symlink("../../../../../../../../.." + tree_.host().string(), in_root("usr/lib"));
  fs::create_directories(tree_.rootfs().string() + tree_.host().string());

  ASSERT_TRUE(root().link("/usr/lib/libcuda.so", "libcuda.so.1"));

  EXPECT_TRUE(tree_.host_untouched());
  EXPECT_TRUE(fs::is_symlink(tree_.rootfs().string() + tree_.host().string() + "/libcuda.so"));
}

TEST_F(RootTest, StaysInsideWithALinkAtEveryComponent) {
  const std::string path = "/a/b/c/d/libcuda.so";
  for (const char* component : {"a", "a/b", "a/b/c", "a/b/c/d", "a/b/c/d/libcuda.so"}) {
    for (const std::string& target : {tree_.host().string(), std::string("../../../../../host"),
                                      std::string("/proc/self/root") + tree_.host().string(),
                                      std::string("/proc/self/cwd"), std::string("loop")}) {
      fs::remove_all(in_root("a"));
      fs::create_directories(in_root(component).parent_path());
      fs::create_symlink(target, in_root(component));

      static_cast<void>(root().link(path, "libcuda.so.1"));
      static_cast<void>(root().write(path, "content"));

      EXPECT_TRUE(tree_.host_untouched()) << component << " -> " << target;
    }
  }
}

TEST_F(RootTest, RefusesMagicLinks) {
  fs::create_directories(in_root("proc/self"));
  fs::create_symlink("/proc/self/root", in_root("usr"));
  // With a real procfs in the root this would be the host's root directory.
  EXPECT_FALSE(root().link("/usr/host/libcuda.so", "a"));
  EXPECT_TRUE(tree_.host_untouched());
}

TEST_F(RootTest, GivesUpOnALoopOfLinks) {
  fs::create_symlink("loop", in_root("loop"));

  EXPECT_FALSE(root().link("/loop/libcuda.so", "a"));
}

TEST_F(RootTest, WritesAFileWithoutFollowingTheLinkThatIsThere) {
  fs::create_directories(in_root("etc"));
  fs::create_symlink(tree_.host() / "secret", in_root("etc/ld.so.cache"));

  ASSERT_TRUE(root().write("/etc/ld.so.cache", "cache"));

  EXPECT_TRUE(tree_.host_untouched());
  EXPECT_FALSE(fs::is_symlink(in_root("etc/ld.so.cache")));
  EXPECT_EQ(TempTree::read(in_root("etc/ld.so.cache")), "cache");
}

TEST_F(RootTest, WhatItWritesCanBeReadByEverybody) {
  const mode_t before = ::umask(077);
  const auto written = root().write("/etc/ld.so.cache", "cache");
  ::umask(before);

  ASSERT_TRUE(written);
  EXPECT_EQ(fs::status(in_root("etc/ld.so.cache")).permissions(), fs::perms(0644));
}

TEST_F(RootTest, WritesOverAFifoWithoutWaitingForAReader) {
  fs::create_directories(in_root("etc"));
  ASSERT_EQ(::mkfifo(in_root("etc/ld.so.cache").c_str(), 0666), 0);

  ASSERT_TRUE(root().write("/etc/ld.so.cache", "cache"));

  EXPECT_TRUE(fs::is_regular_file(in_root("etc/ld.so.cache")));
}

TEST_F(RootTest, CleansUpWhenAFileCannotBeReplaced) {
  fs::create_directories(in_root("etc/ld.so.cache/not-empty"));

  EXPECT_FALSE(root().write("/etc/ld.so.cache", "cache"));

  EXPECT_EQ(TempTree::names(in_root("etc")), std::set<std::string>{"ld.so.cache"});
}

TEST_F(RootTest, AnswersQuestionsAboutTheImageInsideTheRootOnly) {
  TempTree::write(in_root("etc/present"), "x");
  fs::create_symlink("/etc/present", in_root("inside"));
  fs::create_symlink(tree_.host() / "secret", in_root("outside"));
  ASSERT_EQ(::mkfifo(in_root("fifo").c_str(), 0666), 0);

  EXPECT_TRUE(root().has_file("/inside"));
  EXPECT_TRUE(root().has_directory("/etc"));
  EXPECT_FALSE(root().has_file("/outside"));
  EXPECT_FALSE(root().has_file("/fifo"));
  EXPECT_FALSE(root().has_directory("/etc/present"));
}

TEST(Root, RefusesTheHostsOwnRoot) {
  const auto root = Root::open("/");

  ASSERT_FALSE(root);
  EXPECT_EQ(root.error().code, Errc::denied);
  EXPECT_FALSE(Root::open("/usr/.."));
}

TEST(Root, RefusesWhatIsNoDirectory) {
  EXPECT_FALSE(Root::open("/etc/passwd"));
  EXPECT_FALSE(Root::open("/nowhere/at/all"));
}

}  // namespace
}  // namespace hami::hook
