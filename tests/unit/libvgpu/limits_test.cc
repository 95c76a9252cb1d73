#include "libvgpu/core/limits.h"

#include <fcntl.h>

#include <cstring>
#include <memory>

#include "page_fixture.h"

namespace hami::vgpu {
namespace {

const char* g_limit = nullptr;  // CUDA_DEVICE_MEMORY_LIMIT of the test

const char* look_up(const char* name) {
  return std::strcmp(name, "CUDA_DEVICE_MEMORY_LIMIT") == 0 ? g_limit : nullptr;
}

class LimitsTest : public testing::Test {
 protected:
  void SetUp() override {
    g_limit = nullptr;
    path_ = dir_.file("slice");
    slice_.device_count = 2;
    slice_.generation = 1;
    std::memcpy(slice_.devices[0].uuid, "GPU-11111111-2222-3333-4444-555555555555", 41);
    std::memcpy(slice_.devices[1].uuid, "GPU-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", 41);
    slice_.devices[0].memory_limit = 3000 * kMiB;
    slice_.devices[1].memory_limit = 0;
    abi::seal(slice_);
  }
  void write(std::size_t bytes = sizeof(abi::SliceFile)) {
    const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    ASSERT_EQ(::pwrite(fd, &slice_, bytes, 0), static_cast<ssize_t>(bytes));
    ::close(fd);
  }
  LimitSource load() { return limits_->load(path_.c_str(), look_up); }

  TempDir dir_;
  std::string path_;
  abi::SliceFile slice_ = {};
  std::unique_ptr<Limits> limits_ = std::make_unique<Limits>();
};

TEST_F(LimitsTest, NothingSetMeansNoLimits) { EXPECT_EQ(load(), LimitSource::none); }

TEST_F(LimitsTest, ReadsTheSlice) {
  write();
  EXPECT_EQ(load(), LimitSource::slice);
  EXPECT_EQ(limits_->memory(0), 3000 * kMiB);
  EXPECT_EQ(limits_->memory(1), 0U);
}

TEST_F(LimitsTest, TheEnvironmentLowersASliceAndNeverRaisesIt) {
  write();
  g_limit = "1000m";
  EXPECT_EQ(load(), LimitSource::slice);
  EXPECT_EQ(limits_->memory(0), 1000 * kMiB);
  EXPECT_EQ(limits_->memory(1), 1000 * kMiB);

  g_limit = "64g";
  limits_ = std::make_unique<Limits>();
  EXPECT_EQ(load(), LimitSource::slice);
  EXPECT_EQ(limits_->memory(0), 3000 * kMiB);

  g_limit = "0";
  limits_ = std::make_unique<Limits>();
  load();
  EXPECT_EQ(limits_->memory(0), 3000 * kMiB);
}

TEST_F(LimitsTest, WithoutASliceTheEnvironmentIsTheLimit) {
  g_limit = "1g";
  EXPECT_EQ(load(), LimitSource::environment);
  EXPECT_EQ(limits_->memory(5), 1024 * kMiB);
}

TEST_F(LimitsTest, ADamagedSliceIsNeverUnlimited) {
  slice_.devices[0].memory_limit = 0;  // and the seal is broken
  write();
  EXPECT_EQ(load(), LimitSource::unusable);
}

TEST_F(LimitsTest, AShortSliceIsNeverUnlimited) {
  write(200);
  EXPECT_EQ(load(), LimitSource::unusable);
  write(0);
  limits_ = std::make_unique<Limits>();
  EXPECT_EQ(load(), LimitSource::unusable);
}

TEST_F(LimitsTest, ADirectoryInPlaceOfTheSliceIsNeverUnlimited) {
  path_ = "/tmp";
  EXPECT_EQ(load(), LimitSource::unusable);
}

TEST_F(LimitsTest, AnUnreadableVariableIsNeverUnlimited) {
  write();
  g_limit = "plenty";
  EXPECT_EQ(load(), LimitSource::unusable);
}

TEST_F(LimitsTest, AChangedSliceTakesEffectAtTheNextLook) {
  write();
  load();
  slice_.devices[0].memory_limit = 500 * kMiB;
  slice_.generation = 2;
  abi::seal(slice_);
  write();
  EXPECT_EQ(limits_->memory(0), 500 * kMiB);
}

TEST_F(LimitsTest, ASliceThatIsDamagedLaterKeepsTheLimits) {
  write();
  load();
  slice_.devices[0].memory_limit = 0;
  slice_.generation = 2;  // not sealed
  write();
  EXPECT_EQ(limits_->memory(0), 3000 * kMiB);
  abi::seal(slice_);
  write();
  EXPECT_EQ(limits_->memory(0), 0U);
}

TEST_F(LimitsTest, FindsDevicesByTheirUuid) {
  write();
  load();
  EXPECT_EQ(limits_->find("GPU-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"), 1);
  EXPECT_EQ(limits_->find("GPU-AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE"), 1);
  EXPECT_EQ(limits_->find("GPU-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeee"), -1);
  EXPECT_EQ(limits_->find(""), -1);
}

}  // namespace
}  // namespace hami::vgpu
