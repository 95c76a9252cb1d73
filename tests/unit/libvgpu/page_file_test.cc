#include "libvgpu/core/page_file.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdio>

#include "libvgpu/core/account.h"
#include "page_fixture.h"

namespace hami::vgpu {
namespace {

TEST(PageFile, IsCreatedReadyForEveryProcessOfTheContainer) {
  const TempDir dir;
  const std::string path = dir.file("cache");
  const mode_t umask_before = ::umask(077);
  EXPECT_TRUE(create_page_file(path.c_str(), 0));
  EXPECT_EQ(::umask(umask_before), 077U) << "the program's umask is its own";
  struct stat status = {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0666U);
  EXPECT_GE(static_cast<std::uint64_t>(status.st_blocks) * 512, sizeof(abi::UsagePage)) << "no holes";
  Account account;
  EXPECT_TRUE(account.open(path.c_str(), 0));
}

TEST(PageFile, KeepsAPageThatIsInUse) {
  const TempDir dir;
  const std::string path = dir.file("cache");
  ASSERT_TRUE(create_page_file(path.c_str(), 4096));
  const pid_t child = ::fork();
  if (child == 0) {
    Account account;
    const bool ok = create_page_file(path.c_str(), 4096) && account.open(path.c_str(), 4096) &&
                    account.admit(0, kMiB, 0) == Verdict::admitted;
    for (; ok;) ::pause();
    ::_exit(1);
  }
  Account account;
  ASSERT_TRUE(create_page_file(path.c_str(), 4096));
  ASSERT_TRUE(account.open(path.c_str(), 4096));
  for (int i = 0; i < 5000 && account.used(0) == 0; ++i) ::usleep(1000);
  EXPECT_EQ(account.used(0), kMiB);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(PageFile, RepairsAFileOfSomethingElse) {
  const TempDir dir;
  const std::string path = dir.file("cache");
  FILE* file = std::fopen(path.c_str(), "w");
  std::fputs("something else", file);
  std::fclose(file);
  EXPECT_TRUE(create_page_file(path.c_str(), 0));
  Account account;
  EXPECT_TRUE(account.open(path.c_str(), 0));
}

TEST(PageFile, FailsWhereNoFileCanBe) {
  EXPECT_FALSE(create_page_file("/nonexistent/cache", 0));
  EXPECT_FALSE(create_page_file("/proc/self", 0));
}

TEST(PageFile, DoesNotFollowALinkOfAnotherUser) {
  const TempDir dir;
  const std::string path = dir.file("link");
  ASSERT_EQ(::symlink(dir.file("target").c_str(), path.c_str()), 0);
  EXPECT_FALSE(create_page_file(path.c_str(), 0));
}

}  // namespace
}  // namespace hami::vgpu
