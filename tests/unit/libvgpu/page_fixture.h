// A usage page in a temporary file, mapped by the test itself to see what an observer sees.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "libvgpu/abi/usage.h"

namespace hami::vgpu {

inline constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

// A directory that goes with its contents.
class TempDir {
 public:
  TempDir() {
    char pattern[] = "/tmp/vgpu_test.XXXXXX";
    if (::mkdtemp(pattern) != nullptr) path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

class PageTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = dir_.file("usage");
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_GE(fd_, 0);
    ASSERT_EQ(::ftruncate(fd_, sizeof(abi::UsagePage)), 0);
    void* memory = ::mmap(nullptr, sizeof(abi::UsagePage), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    ASSERT_NE(memory, MAP_FAILED);
    abi::SliceFile slice = {};
    slice.device_count = 2;
    abi::init_usage_page(memory, slice);
    page_ = static_cast<abi::UsagePage*>(memory);
  }
  void TearDown() override {
    ::munmap(page_, sizeof(abi::UsagePage));
    ::close(fd_);
  }
  std::uint64_t committed(unsigned device) const { return page_->devices[device].committed.load(); }

  TempDir dir_;
  std::string path_;
  abi::UsagePage* page_ = nullptr;
  int fd_ = -1;
};

}  // namespace hami::vgpu
