#include "oci-config/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace hami::files {
namespace {

class Files : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "hami-files.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::string write(const std::string& name, const std::string& content, mode_t mode = 0644) {
    const std::string path = dir_ + "/" + name;
    std::ofstream(path) << content;
    ::chmod(path.c_str(), mode);
    return path;
  }

  std::string dir_;
};

TEST_F(Files, ReplaceKeepsModeAndOwnerAndLeavesNoTemporaryFile) {
  const std::string path = write("config.json", "old", 0640);
  if (::getuid() == 0) {
    ASSERT_EQ(::chown(path.c_str(), 12, 34), 0);
  }

  ASSERT_TRUE(replace(path, "new"));

  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(*read(path, 100), "new");
  EXPECT_EQ(info.st_mode & 07777U, 0640U);
  if (::getuid() == 0) {
    EXPECT_EQ(info.st_uid, 12U);
    EXPECT_EQ(info.st_gid, 34U);
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir_), {}), 1);
}

TEST_F(Files, ReplaceRefusesASymbolicLink) {
  const std::string target = write("target", "secret");
  const std::string link = dir_ + "/config.json";
  ASSERT_EQ(::symlink(target.c_str(), link.c_str()), 0);

  EXPECT_FALSE(replace(link, "new"));
  EXPECT_EQ(*read(target, 100), "secret");
}

TEST_F(Files, ReadStopsAtItsLimitAndAtWhatIsNoFile) {
  EXPECT_EQ(*read(write("a", "12345"), 5), "12345");
  EXPECT_FALSE(read(dir_ + "/a", 4));
  EXPECT_FALSE(read(dir_, 100));
  ASSERT_EQ(::mkfifo((dir_ + "/fifo").c_str(), 0600), 0);
  EXPECT_FALSE(read(dir_ + "/fifo", 100));
}

TEST_F(Files, TrustedFilesAreNotWritableByOthers) {
  const std::string path = write("recipe.yaml", "x", 0664);

  const auto got = read_trusted(path, 100, Trust::root_owned);

  ASSERT_FALSE(got);
  EXPECT_NE(got.error().message.find("writable by group or others"), std::string::npos);
}

TEST_F(Files, OpenInRootCannotLeave) {
  std::filesystem::create_directory(dir_ + "/root");
  write("outside", "secret");
  ASSERT_EQ(::symlink("../outside", (dir_ + "/root/up").c_str()), 0);
  ASSERT_EQ(::symlink((dir_ + "/outside").c_str(), (dir_ + "/root/absolute").c_str()), 0);
  const UniqueFd root(::open((dir_ + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));

  EXPECT_FALSE(open_in_root(root.get(), "up", O_RDONLY));
  EXPECT_FALSE(open_in_root(root.get(), "absolute", O_RDONLY));
  EXPECT_FALSE(open_in_root(root.get(), "../outside", O_RDONLY));
}

TEST_F(Files, RemoveTreeDoesNotFollowLinks) {
  write("keep", "x");
  std::filesystem::create_directories(dir_ + "/tree/a/b");
  ASSERT_EQ(::symlink(dir_.c_str(), (dir_ + "/tree/a/link").c_str()), 0);

  ASSERT_TRUE(remove_tree(dir_ + "/tree"));

  EXPECT_FALSE(std::filesystem::exists(dir_ + "/tree"));
  EXPECT_TRUE(std::filesystem::exists(dir_ + "/keep"));
  EXPECT_TRUE(remove_tree(dir_ + "/tree"));
}

}  // namespace
}  // namespace hami::files
