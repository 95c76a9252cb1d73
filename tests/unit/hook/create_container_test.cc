#include "hook/create_container.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hook/release.h"
#include "hook/trusted_file.h"
#include "temp_tree.h"

namespace hami::hook {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr const char* kPlan =
    R"({"version":2,"links":[{"path":"/usr/lib/libcuda.so","target":"libcuda.so.1"}],"ldcacheDirs":[],"libraries":[],)"
    R"("procOverrides":[]})";

class CreateContainer : public ::testing::Test {
 protected:
  CreateContainer() {
    TempTree::write(plan(), kPlan);
    TempTree::write(tree_.base() / "config.json", R"({"ociVersion":"1.0.2","root":{"path":"rootfs"}})");
  }
  [[nodiscard]] std::string plan() const { return tree_.base() / "plan.json"; }
  [[nodiscard]] std::string state(const std::string& more = "") const {
    return R"({"ociVersion":"1.0.2","id":"c1","status":"creating","pid":1,"bundle":")" +
           tree_.base().string() + "\"" + more + "}";
  }
  TempTree tree_;
};

TEST_F(CreateContainer, FindsTheRootThroughTheBundleAsRuncsStateNeeds) {
  ASSERT_TRUE(create_container(Stage::create_container, plan(), state()));

  EXPECT_EQ(fs::read_symlink(tree_.rootfs() / "usr/lib/libcuda.so"), "libcuda.so.1");
}

TEST_F(CreateContainer, PrefersTheRootOfCrunsState) {
  fs::create_directories(tree_.base() / "other");

  ASSERT_TRUE(create_container(Stage::create_container, plan(),
                               state(R"(,"root":")" + (tree_.base() / "other").string() + "\"")));

  EXPECT_TRUE(fs::is_symlink(tree_.base() / "other/usr/lib/libcuda.so"));
  EXPECT_FALSE(fs::exists(tree_.rootfs() / "usr"));
}

TEST_F(CreateContainer, NeedsNoBundleWhenItIsToldTheRoot) {
  fs::remove(tree_.base() / "config.json");  // as good as one that the container's root may not read

  ASSERT_TRUE(create_container(Stage::create_container, plan(), state(), tree_.rootfs()));

  EXPECT_TRUE(fs::is_symlink(tree_.rootfs() / "usr/lib/libcuda.so"));
}

TEST_F(CreateContainer, RefusesToEnterTheNamespaceOfNoProcess) {
  // The state of this fixture names process 1: a runtime that hides the number, or the host's own first
  // process.
  const auto result = create_container(Stage::create_runtime, plan(), state());

  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("names no process of the container"));
}

TEST_F(CreateContainer, DoesTheSameTwice) {
  ASSERT_TRUE(create_container(Stage::create_container, plan(), state()));
  EXPECT_TRUE(create_container(Stage::create_container, plan(), state()));
}

TEST_F(CreateContainer, RefusesAPlanOthersCanWrite) {
  fs::permissions(plan(), fs::perms::all);

  const auto result = create_container(Stage::create_container, plan(), state());

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::denied);
}

TEST_F(CreateContainer, RefusesAPlanOfAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  ASSERT_EQ(::chown(plan().c_str(), 12345, 0), 0);

  const auto result = create_container(Stage::create_container, plan(), state());

  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().line(), HasSubstr("must belong to root"));
}

TEST_F(CreateContainer, RefusesAStateThatIsNone) {
  EXPECT_FALSE(create_container(Stage::create_container, plan(), ""));
  EXPECT_FALSE(create_container(Stage::create_container, plan(), "[]"));
  EXPECT_FALSE(create_container(Stage::create_container, plan(), std::string(2U << 20U, ' ')));
}

TEST_F(CreateContainer, WantsNoStateForAnEmptyPlan) {
  TempTree::write(plan(), R"({"version":2,"links":[],"ldcacheDirs":[],"libraries":[],"procOverrides":[]})");

  EXPECT_TRUE(create_container(Stage::create_container, plan(), ""));
}

TEST(Release, OfALedgerThatIsGoneSucceedsAndMakesNone) {
  const TempTree tree;

  EXPECT_TRUE(release("web-1f", tree.base() / "state"));

  EXPECT_FALSE(fs::exists(tree.base() / "state"));
}

TEST(Release, RefusesKeysThatAreNoFileNames) {
  for (const std::string key : {"", ".", "..", "a/b", "../x", "a b", "a\n"})
    EXPECT_FALSE(release(key, "/nowhere")) << key;
}

TEST(TrustedFile, RefusesFifosAndDirectoriesWithoutWaiting) {
  const TempTree tree;
  ASSERT_EQ(::mkfifo((tree.base() / "fifo").c_str(), 0600), 0);

  EXPECT_FALSE(open_trusted(tree.base() / "fifo"));
  EXPECT_FALSE(open_trusted(tree.base()));
  EXPECT_TRUE(open_trusted(tree.host() / "secret"));
}

}  // namespace
}  // namespace hami::hook
