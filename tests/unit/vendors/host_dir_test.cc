// Files of the driver's root: found with and without links on the way, and never outside of it.
#include "vendors/host_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace hami::vendors {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class HostDirTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "host_dir_XXXXXX";
    directory_ = std::filesystem::canonical(::mkdtemp(name.data()));
    std::filesystem::create_directories(root() + "/usr/lib");
    std::filesystem::create_symlink("usr/lib", root() + "/lib");
    std::ofstream(root() + "/usr/lib/libcuda.so.550") << "a library";
    std::filesystem::create_symlink("libcuda.so.550", root() + "/usr/lib/libcuda.so.1");
    std::ofstream(directory_ / "secret") << "of the host";
    std::filesystem::create_symlink("../../../secret", root() + "/usr/lib/up");
    std::filesystem::create_symlink("/usr/lib/libcuda.so.550", root() + "/usr/lib/absolute");
  }

  void TearDown() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::string root() const { return directory_.string() + "/root"; }

  [[nodiscard]] std::string found(const std::string& path,
                                  HostDir::Links links = HostDir::Links::follow) const {
    const auto dir = HostDir::open(root());
    if (!dir) return "no root";
    const auto file = dir->find(path, links);
    if (!file) return "nothing";
    EXPECT_EQ(file->host_path, std::filesystem::canonical(root()).string() + file->path);
    EXPECT_TRUE(S_ISREG(file->info.st_mode));
    return file->path;
  }

 private:
  std::filesystem::path directory_;
};

TEST_F(HostDirTest, NamesTheFileItselfWhateverLedToIt) {
  EXPECT_EQ(found("/usr/lib/libcuda.so.550"), "/usr/lib/libcuda.so.550");
  EXPECT_EQ(found("/usr/lib/libcuda.so.1"), "/usr/lib/libcuda.so.550");
  EXPECT_EQ(found("/lib/libcuda.so.550"), "/usr/lib/libcuda.so.550");
  EXPECT_EQ(found("/usr/lib/absolute"), "/usr/lib/libcuda.so.550");
}

TEST_F(HostDirTest, NamesTheFileAsTheKernelDoesWhenThePathIsOddlyWritten) {
  for (const char* path :
       {"//usr/lib/libcuda.so.550", "/usr//lib/libcuda.so.550", "/usr/./lib/libcuda.so.550",
        "/usr/lib/../lib/libcuda.so.550", "usr/lib/libcuda.so.550"}) {
    EXPECT_EQ(found(path), "/usr/lib/libcuda.so.550") << path;
  }
}

TEST_F(HostDirTest, FindsNothingOutsideAndNothingThatIsNotThere) {
  for (const char* path : {"/usr/lib/up", "/../secret", "/usr/lib/none", "/none/libcuda.so.550",
                           "/usr/lib/libcuda.so.550/", ""}) {
    EXPECT_EQ(found(path), "nothing") << path;
  }
}

TEST_F(HostDirTest, MatchesNamesWithOneStar) {
  const auto dir = HostDir::open(root());
  ASSERT_TRUE(dir);
  EXPECT_THAT(dir->matching("/usr/lib/libcuda.so.*"),
              ElementsAre("/usr/lib/libcuda.so.1", "/usr/lib/libcuda.so.550"));
  EXPECT_THAT(dir->matching("/usr/lib/*.550"), ElementsAre("/usr/lib/libcuda.so.550"));
  EXPECT_THAT(dir->matching("/usr/lib/u*p"), ElementsAre("/usr/lib/up"));
  EXPECT_THAT(dir->matching("/usr/lib/up*p"), IsEmpty());  // the star stands for no part of what is beside it
  EXPECT_THAT(dir->matching("/none/*"), IsEmpty());
  EXPECT_THAT(dir->matching("/none/one"), ElementsAre("/none/one"));
}

TEST_F(HostDirTest, TakesNoLinkWhereTheLastNameMustNotBeOne) {
  EXPECT_EQ(found("/usr/lib/libcuda.so.1", HostDir::Links::refuse_last), "nothing");
  EXPECT_EQ(found("/lib/libcuda.so.550", HostDir::Links::refuse_last), "/usr/lib/libcuda.so.550");
}

}  // namespace
}  // namespace hami::vendors
