#include "libvgpu/core/region.h"

#include <sys/stat.h>

#include "libvgpu/core/account.h"
#include "libvgpu/core/page_file.h"
#include "page_fixture.h"

namespace hami::vgpu {
namespace {

class RegionTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = dir_.file("vgpu.cache");
    for (std::uint64_t& percent : settings_.sm_limit) percent = 100;
    ASSERT_TRUE(region_.open(path_.c_str(), settings_));
  }
  // Words at the offsets that HAMi's monitor reads.
  template <typename T>
  T at(std::uint64_t offset) const {
    T value{};
    const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_EQ(::pread(fd, &value, sizeof value, static_cast<off_t>(offset)),
              static_cast<ssize_t>(sizeof value));
    ::close(fd);
    return value;
  }
  TempDir dir_;
  std::string path_;
  RegionSettings settings_;
  Region region_;
};

constexpr std::uint64_t slot_at(unsigned index) { return 1856 + std::uint64_t{index} * 1960; }

TEST_F(RegionTest, NewOneLooksAsTheMonitorExpects) {
  struct stat status = {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_GE(status.st_size, 2'008'952);
  EXPECT_EQ(at<std::int32_t>(0), 19920718);
  EXPECT_EQ(at<std::uint32_t>(4), 1U);
  EXPECT_EQ(at<std::uint32_t>(8), 2U);
  EXPECT_EQ(at<std::uint64_t>(1728), 100U);
  EXPECT_EQ(at<std::int32_t>(2'008'896), 0) << "no process";
  EXPECT_EQ(at<std::int32_t>(2'008'900), 1) << "utilization_switch";
  EXPECT_EQ(at<std::int32_t>(2'008'904), 2) << "recent_kernel";
  EXPECT_EQ(at<std::int32_t>(2'008'908), 1) << "priority";
}

TEST_F(RegionTest, ShowsAProcessAndWhatItHolds) {
  region_.attach(3, 41, 4100);
  Region::add(*region_.slot(3), 1, 9 * kMiB);
  Region::add(*region_.slot(3), 1, std::uint64_t{0} - 2 * kMiB);
  EXPECT_EQ(at<std::int32_t>(2'008'896), 4);
  EXPECT_EQ(at<std::int32_t>(slot_at(3)), 41);
  EXPECT_EQ(at<std::int32_t>(slot_at(3) + 4), 4100);
  EXPECT_EQ(at<std::int32_t>(slot_at(3) + 1928), 1);
  EXPECT_EQ(at<std::uint64_t>(slot_at(3) + 8 + 64 + 16), 7 * kMiB) << "data_size";
  EXPECT_EQ(at<std::uint64_t>(slot_at(3) + 8 + 64 + 32), 7 * kMiB) << "total";
  EXPECT_EQ(at<std::int32_t>(slot_at(0) + 1928), 0) << "a hole";
}

TEST_F(RegionTest, NamesDevicesOnce) {
  region_.name_device(1, "GPU-11111111-2222-3333-4444-555555555555");
  region_.name_device(1, "GPU-xxxxxxxx-2222-3333-4444-555555555555");
  EXPECT_EQ(at<std::uint64_t>(56), 2U);
  EXPECT_EQ(at<char>(64 + 96), 'G');
  EXPECT_EQ(at<char>(64 + 96 + 4), '1');
}

TEST_F(RegionTest, KeepsWhatOthersCountOn) {
  region_.attach(0, 41, 0);
  Region::add(*region_.slot(0), 0, kMiB);
  Region second;
  ASSERT_TRUE(second.open(path_.c_str(), settings_));
  EXPECT_EQ(at<std::uint64_t>(slot_at(0) + 8 + 32), kMiB);
}

TEST_F(RegionTest, ResetWritesLimitsAndEmptiesSlots) {
  region_.attach(0, 41, 0);
  std::uint64_t limits[abi::kRegionDevices] = {3000 * kMiB};
  region_.reset(limits, settings_);
  EXPECT_EQ(at<std::uint64_t>(1600), 3000 * kMiB);
  EXPECT_EQ(at<std::int32_t>(slot_at(0) + 1928), 0);
}

TEST_F(RegionTest, FollowsTheAccount) {
  ASSERT_TRUE(create_page_file(path_.c_str(), abi::kPageAfterRegion));
  Account account;
  ASSERT_TRUE(account.open(path_.c_str(), abi::kPageAfterRegion));
  bool first = false;
  account.mirror_to(
      region_, [](void* flag) noexcept { *static_cast<bool*>(flag) = true; }, &first);
  EXPECT_TRUE(first);
  {
    Reservation dropped(account, 2, 7 * kMiB, account.admit(2, 7 * kMiB, 0));
    Reservation reservation(account, 2, 6 * kMiB, account.admit(2, 6 * kMiB, 0));
    ASSERT_TRUE(reservation.settle(5 * kMiB, 0));
    EXPECT_EQ(at<std::uint64_t>(slot_at(0) + 8 + 2 * 64 + 32), 0U) << "nothing has come of it yet";
    reservation.commit();
  }
  EXPECT_EQ(at<std::int32_t>(slot_at(0)), ::getpid());
  EXPECT_EQ(at<std::uint64_t>(slot_at(0) + 8 + 2 * 64 + 32), 5 * kMiB);
  account.refund(2, kMiB);
  EXPECT_EQ(at<std::uint64_t>(slot_at(0) + 8 + 2 * 64 + 32), 4 * kMiB);
}

TEST_F(RegionTest, ReplacesAnOlderLayout) {
  region_.attach(0, 41, 0);
  const int fd = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
  const std::uint32_t other = 7;
  ASSERT_EQ(::pwrite(fd, &other, sizeof other, 4), 4);
  ::close(fd);
  Region second;
  ASSERT_TRUE(second.open(path_.c_str(), settings_));
  EXPECT_EQ(at<std::uint32_t>(4), 1U);
  EXPECT_EQ(at<std::int32_t>(slot_at(0) + 1928), 0);
}

}  // namespace
}  // namespace hami::vgpu
