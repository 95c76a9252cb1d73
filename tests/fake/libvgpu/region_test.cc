// HAMi's shared region, as its monitor sees it while programs run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "libvgpu/abi/hami_region.h"
#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

using ::testing::HasSubstr;

class MonitorView : public ::testing::Test {
 protected:
  ~MonitorView() override { end(); }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  // The region of a program that holds 800 MiB.
  void hold(const Environment& env) {
    pid_ = node_.start("holder", {client(), "--hold", "60", "alloc", "800"}, env);
    ASSERT_TRUE(
        eventually([&] { return node_.read("holder.out").find("cuMemGetInfo") != std::string::npos; }));
  }
  SimNode node_;
  pid_t pid_ = 0;
};

TEST_F(MonitorView, ShowsLimitDeviceProcessAndBytes) {
  hold(limited(node_, "3000m"));
  const Mapped<abi::HamiRegion> region(node_.file("page"));

  EXPECT_EQ(region->magic.load(), 19920718);
  EXPECT_EQ(region->limit[0].load(), 3000 * kMiB);
  EXPECT_EQ(region->device_count.load(), 1U);
  EXPECT_EQ(std::string(region->uuids[0]).rfind("GPU-", 0), 0U);
  ASSERT_EQ(region->slots_in_use.load(), 1);
  EXPECT_EQ(region->slots[0].pid.load(), pid_);
  EXPECT_EQ(region->slots[0].status.load(), 1);
  EXPECT_EQ(region->slots[0].used[0].data_size.load(), 800 * kMiB);
  EXPECT_EQ(region->slots[0].used[0].total.load(), 800 * kMiB);
}

TEST_F(MonitorView, ALimitThatTheMonitorLowersHoldsAtTheNextCall) {
  pid_ = node_.start("churn", {client(), "churn", "100", "100000000"}, limited(node_, "3000m"));
  const auto page_at = [&] { return node_.file("page"); };
  ASSERT_TRUE(eventually([&] {
    struct stat status = {};
    return ::stat(page_at().c_str(), &status) == 0 && status.st_size > 2'011'136 + 4096;
  }));
  const int fd = ::open(page_at().c_str(), O_RDWR | O_CLOEXEC);
  void* memory = ::mmap(nullptr, abi::kPageAfterRegion + sizeof(abi::UsagePage), PROT_READ | PROT_WRITE,
                        MAP_SHARED, fd, 0);
  ::close(fd);
  ASSERT_NE(memory, MAP_FAILED);
  auto* region = static_cast<abi::HamiRegion*>(memory);
  auto* page = reinterpret_cast<abi::UsagePage*>(static_cast<unsigned char*>(memory) + abi::kPageAfterRegion);
  ASSERT_TRUE(eventually([&] { return page->devices[0].committed.load() == 100 * kMiB; }));
  EXPECT_EQ(page->devices[0].refused.load(), 0U);

  region->limit[0].store(50 * kMiB);

  EXPECT_TRUE(eventually([&] { return page->devices[0].refused.load() > 0; }));
  ::munmap(memory, abi::kPageAfterRegion + sizeof(abi::UsagePage));
}

TEST_F(MonitorView, LimitsOfAnEarlierRunDoNotSurvive) {
  EXPECT_THAT(node_.run({client(), "info"}, limited(node_, "1000m")).out, HasSubstr("total 1000 MiB"));
  EXPECT_THAT(node_.run({client(), "info"}, limited(node_, "2000m")).out, HasSubstr("total 2000 MiB"));
  const Mapped<abi::HamiRegion> region(node_.file("page"));
  EXPECT_EQ(region->limit[0].load(), 2000 * kMiB);
}

TEST_F(MonitorView, ForgetsProcessesThatWereKilled) {
  hold(limited(node_, "3000m"));
  end();

  EXPECT_THAT(node_.run({client(), "info"}, limited(node_, "3000m")).out, HasSubstr("free 3000 MiB"));

  const Mapped<abi::HamiRegion> region(node_.file("page"));
  for (const auto& slot : region->slots) EXPECT_EQ(slot.used[0].total.load(), 0U);
}

TEST_F(MonitorView, ExistsBesideASliceWhenTheVariableNamesIt) {
  const Container container(node_, {3000});

  const Outcome result =
      container.run({client(), "alloc", "100"}, {{"CUDA_DEVICE_MEMORY_SHARED_CACHE", node_.file("region")}});

  EXPECT_THAT(result.out, HasSubstr("SUCCESS"));
  const Mapped<abi::HamiRegion> region(node_.file("region"));
  EXPECT_EQ(region->limit[0].load(), 3000 * kMiB);
  EXPECT_EQ(region->device_count.load(), 1U);
  EXPECT_EQ(std::string(region->uuids[0]), container.slice().devices[0].uuid);
  region->limit[0].store(0);
  EXPECT_THAT(
      container.run({client(), "info"}, {{"CUDA_DEVICE_MEMORY_SHARED_CACHE", node_.file("region")}}).out,
      HasSubstr("total 3000 MiB"))
      << "the slice is the limit";
}

}  // namespace
}  // namespace hami::fake
