#include "hook/ldcache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "temp_tree.h"

namespace hami::hook {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

vendors::HookPlan searching(const std::string& directory) {
  vendors::HookPlan plan;
  plan.ldcache_dirs = {directory};
  return plan;
}

TEST(Ldcache, SearchesOurDirectoriesBeforeTheImagesAndTheDefaultsLast) {
  const std::string configuration = loader_configuration({"/opt/vendor/lib64", "/usr/lib/wsl"});

  EXPECT_TRUE(configuration.starts_with("/opt/vendor/lib64\n/usr/lib/wsl\ninclude /etc/ld.so.conf\n"));
  EXPECT_THAT(configuration, HasSubstr("\n/usr/lib64\n"));
  EXPECT_EQ(configuration.back(), '\n');
}

TEST(Ldcache, KnowsTheDirectoriesALoaderAlwaysSearches) {
  EXPECT_TRUE(is_default_directory("/usr/lib64"));
  EXPECT_FALSE(is_default_directory("/usr/local/Ascend/driver/lib64"));
}

TEST(Ldcache, LeavesAnImageWithoutGlibcAlone) {
  const TempTree tree;
  TempTree::write(tree.rootfs() / "lib/ld-musl-x86_64.so.1", "loader");
  fs::create_directories(tree.rootfs() / "usr/lib");

  ASSERT_TRUE(update_ldcache(*Root::open(tree.rootfs()), searching("/usr/lib"), {}));

  EXPECT_FALSE(fs::exists(tree.rootfs() / "etc/ld.so.cache"));
}

TEST(Ldcache, HasNothingToDoWhenNoDirectoryIsThere) {
  const TempTree tree;
  TempTree::write(tree.rootfs() / "etc/ld.so.cache", "old");

  ASSERT_TRUE(update_ldcache(*Root::open(tree.rootfs()), searching("/opt/none"), {}));

  EXPECT_EQ(TempTree::read(tree.rootfs() / "etc/ld.so.cache"), "old");
}

TEST(Ldcache, SaysThatTheHostHasNoLdconfig) {
  const TempTree tree;
  TempTree::write(tree.rootfs() / "etc/ld.so.cache", "old");
  fs::create_directories(tree.rootfs() / "opt/lib");

  const auto result =
      update_ldcache(*Root::open(tree.rootfs()), searching("/opt/lib"), {"/nowhere/ldconfig"});

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::not_found);
}

TEST(Ldcache, NeverRunsAScriptOrAProgramOthersCanWrite) {
  const TempTree tree;
  TempTree::write(tree.rootfs() / "etc/ld.so.cache", "old");
  fs::create_directories(tree.rootfs() / "opt/lib");
  TempTree::write(tree.base() / "script", "#!/bin/sh\nexit 0\n");
  TempTree::write(tree.base() / "shared", "\177ELF");
  fs::permissions(tree.base() / "shared", fs::perms::all);
  const Root root = *Root::open(tree.rootfs());

  const auto script = update_ldcache(root, searching("/opt/lib"), {tree.base() / "script"});
  const auto shared = update_ldcache(root, searching("/opt/lib"), {tree.base() / "shared"});

  ASSERT_FALSE(script);
  EXPECT_EQ(script.error().code, Errc::not_found);
  ASSERT_FALSE(shared);
  EXPECT_EQ(shared.error().code, Errc::denied);
}

}  // namespace
}  // namespace hami::hook
