#include "runtime-shim/container/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "runtime-shim/container/original.h"

namespace hami::shim {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

#if defined(__x86_64__)
constexpr const char* kLoader = "lib64/ld-linux-x86-64.so.2";
constexpr const char* kMultiarch = "usr/lib/x86_64-linux-gnu";
#else
constexpr const char* kLoader = "lib/ld-linux-aarch64.so.1";
constexpr const char* kMultiarch = "usr/lib/aarch64-linux-gnu";
#endif

class ImageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / "hami-image-test";
    fs::remove_all(root_);
    fs::create_directories(root_ / "etc");
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const fs::path& path, const std::string& content) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << content;
  }
  void link(const fs::path& path, const fs::path& target) {
    fs::create_directories((root_ / path).parent_path());
    fs::create_symlink(target, root_ / path);
  }
  Result<Image> inspect() { return inspect_image(root_); }

  fs::path root_;
};

TEST_F(ImageTest, FindsGlibcThroughLinksOfAMergedUsr) {
  write(fs::path("usr") / kLoader, "");
  link(fs::path(kLoader).begin()->string(), fs::path("usr") / *fs::path(kLoader).begin());

  EXPECT_TRUE(inspect()->has_glibc);
}

TEST_F(ImageTest, FindsGlibcOfOldImagesWhereTheLoaderIsALinkToItsVersion) {
  write("lib/ld-2.31.so", "");
  link(kLoader, "/lib/ld-2.31.so");

  EXPECT_TRUE(inspect()->has_glibc);
}

TEST_F(ImageTest, TakesNoCompatibilityLibraryOfMuslForGlibc) {
  write("lib/libgcompat.so.0", "");
  link(kLoader, "/lib/libgcompat.so.0");

  EXPECT_FALSE(inspect()->has_glibc);
}

TEST_F(ImageTest, FindsNoGlibcInAnEmptyImage) { EXPECT_FALSE(inspect()->has_glibc); }

TEST_F(ImageTest, DoesNotFollowALoaderOutOfTheImage) {
  const fs::path real = fs::path("/") / kLoader;
  ASSERT_TRUE(fs::exists(real));
  link(kLoader, fs::path("../../../../../../../../") / real.relative_path());

  EXPECT_FALSE(inspect()->has_glibc);
}

TEST_F(ImageTest, ReadsTheImagesOwnPreload) {
  write("etc/ld.so.preload", "/usr/lib/own.so\n");

  EXPECT_EQ(inspect()->preload, "/usr/lib/own.so\n");
}

TEST_F(ImageTest, DoesNotReadFilesOfTheHostThroughLinks) {
  link("etc/ld.so.preload", "/proc/self/environ");
  EXPECT_EQ(inspect()->preload, "");

  fs::remove(root_ / "etc/ld.so.preload");
  link("etc/ld.so.preload", "../../../../../../../../etc/passwd");
  EXPECT_EQ(inspect()->preload, "");
}

TEST_F(ImageTest, RefusesAPreloadThatIsNoText) {
  write("etc/ld.so.preload", std::string(kMaxPreloadBytes + 1, 'x'));
  EXPECT_THAT(inspect().error().line(), HasSubstr("repair the image"));

  write("etc/ld.so.preload", std::string("a\0b", 3));
  EXPECT_FALSE(inspect());

  fs::remove(root_ / "etc/ld.so.preload");
  ASSERT_EQ(::mkfifo((root_ / "etc/ld.so.preload").c_str(), 0644), 0);
  EXPECT_FALSE(inspect());
}

TEST_F(ImageTest, KnowsTheLayoutOfLibraries) {
  EXPECT_TRUE(inspect()->debian_layout);
  fs::create_directories(root_ / "usr/lib64");
  EXPECT_FALSE(inspect()->debian_layout);
  fs::create_directories(root_ / kMultiarch);
  EXPECT_TRUE(inspect()->debian_layout);
}

TEST_F(ImageTest, SaysWhenTheRootIsMissing) { EXPECT_FALSE(inspect_image(root_ / "nothing")); }

TEST_F(ImageTest, TheOriginalOfAnEditedBundleComesBack) {
  const std::string path = root_ / "config.json";
  ASSERT_TRUE(keep_original(path, "original", "edited"));

  EXPECT_EQ(*original_of(path, "edited"), "original");
  EXPECT_THAT(original_of(path, "edited by hand").error().line(), HasSubstr("changed since"));
  forget_original(path);
  EXPECT_FALSE(original_of(path, "edited"));
}

}  // namespace
}  // namespace hami::shim
