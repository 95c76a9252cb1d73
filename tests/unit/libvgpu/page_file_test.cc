#include "libvgpu/core/page_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

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

// A page as hami-runtime leaves it to a container.
void make_page(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(::ftruncate(fd, sizeof(abi::UsagePage)), 0);
  ASSERT_EQ(::posix_fallocate(fd, 0, abi::kFirstBytes), 0);
  void* memory = ::mmap(nullptr, sizeof(abi::UsagePage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ASSERT_NE(memory, MAP_FAILED);
  abi::SliceFile slice = {};
  slice.device_count = 1;
  abi::init_usage_page(memory, slice);
  ::munmap(memory, sizeof(abi::UsagePage));
  ::close(fd);
}

std::uint64_t allocated(const std::string& path) {
  struct stat status = {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

// Processes that each take a MiB and live until the destructor.
class Takers {
 public:
  explicit Takers(std::string path) : path_(std::move(path)) { EXPECT_EQ(::pipe2(said_, O_CLOEXEC), 0); }
  Takers(const Takers&) = delete;
  Takers& operator=(const Takers&) = delete;
  ~Takers() {
    for (const pid_t pid : pids_) {
      ::kill(pid, SIGKILL);
      int status = 0;
      ::waitpid(pid, &status, 0);
      EXPECT_EQ(WTERMSIG(status), SIGKILL) << "not by SIGBUS";
    }
    for (const int fd : said_) ::close(fd);
  }

  Verdict start_one() {
    const pid_t pid = ::fork();
    if (pid == 0) {
      Account account;
      const auto verdict = account.open(path_.c_str(), 0) ? account.admit(0, kMiB, 0) : Verdict::unusable;
      if (::write(said_[1], &verdict, sizeof verdict) != sizeof verdict) ::_exit(1);
      for (;;) ::pause();
    }
    pids_.push_back(pid);
    Verdict verdict = Verdict::unusable;
    EXPECT_EQ(::read(said_[0], &verdict, sizeof verdict), static_cast<ssize_t>(sizeof verdict));
    return verdict;
  }

 private:
  std::string path_;
  int said_[2] = {-1, -1};
  std::vector<pid_t> pids_;
};

TEST(PageFile, GrowsWithTheProcesses) {
  const TempDir dir;
  const std::string path = dir.file("usage");
  make_page(path);
  const std::uint64_t before = allocated(path);
  EXPECT_LT(before, 256U << 10U);
  Takers takers(path);
  for (std::uint32_t i = 0; i < abi::kFirstSlots; ++i) ASSERT_EQ(takers.start_one(), Verdict::admitted) << i;
  EXPECT_EQ(allocated(path), before);
  for (std::uint32_t i = 0; i < 20; ++i) ASSERT_EQ(takers.start_one(), Verdict::admitted) << i;
  EXPECT_GE(allocated(path), before + abi::kFirstSlots * sizeof(abi::UsageSlot));
  EXPECT_LT(allocated(path), before + abi::kFirstSlots * sizeof(abi::UsageSlot) + (16U << 10U));
  Account account;
  ASSERT_TRUE(account.open(path.c_str(), 0));
  EXPECT_EQ(account.used(0), (abi::kFirstSlots + 20) * kMiB);
}

TEST(PageFile, WithoutRoomForItsRecordAProcessIsRefusedAndTheOthersGoOn) {
  const TempDir dir;
  const std::string disk = dir.file("disk");
  ASSERT_EQ(::mkdir(disk.c_str(), 0700), 0);
  const std::string size = "size=" + std::to_string((abi::kFirstBytes + 4095) / 4096 * 4);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, (size + "k").c_str()) != 0)
    GTEST_SKIP() << "this sandbox does not let us mount";
  {
    const std::string path = disk + "/usage";
    make_page(path);
    Takers takers(path);
    for (std::uint32_t i = 0; i < abi::kFirstSlots; ++i)
      ASSERT_EQ(takers.start_one(), Verdict::admitted) << i;
    EXPECT_EQ(takers.start_one(), Verdict::unusable);
    Account account;
    ASSERT_TRUE(account.open(path.c_str(), 0));
    EXPECT_EQ(account.used(0), abi::kFirstSlots * kMiB);
  }
  EXPECT_EQ(::umount2(disk.c_str(), MNT_DETACH), 0);
}

}  // namespace
}  // namespace hami::vgpu
