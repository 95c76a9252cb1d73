// How long a create thinks about a node with sixteen cards, once everything is in the page cache. The numbers
// are recorded in the test's report; the bounds only catch what would be noticed by hand, also in a debug
// build on a busy machine.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "tests/unit/vendors/fake_node.h"
#include "vendors/render.h"

namespace hami::vendors {
namespace {

constexpr int kCards = 16;

class Speed : public testing::Test {
 protected:
  void SetUp() override {
    node_.nvidia_kernel();
    node_.nvidia_user();
    for (int i = 0; i < kCards; ++i) {
      char bdf[16];
      std::snprintf(bdf, sizeof bdf, "0000:%02x:00.0", 0x80 + i);
      node_.gpu(bdf, 2 + i, "GPU-bbbbbbbb-0000-0000-0000-0000000000" + std::to_string(10 + i));
      if (!node_.node("dev/nvidia" + std::to_string(2 + i), 195, static_cast<unsigned>(2 + i)))
        GTEST_SKIP() << "device nodes cannot be made here (needs root with CAP_MKNOD)";
    }
    if (!node_.nvidia_nodes()) GTEST_SKIP() << "device nodes cannot be made here (needs root with CAP_MKNOD)";
    for (const char* two : {"proc/driver/nvidia/gpus/0000:3b:00.0", "proc/driver/nvidia/gpus/0000:1a:00.0"})
      std::filesystem::remove_all(node_.path(two));
    node_.probe_says(
        R"({"bdf":"0000:80:00.0","uuid":"GPU-bbbbbbbb-0000-0000-0000-000000000010","memory":1})");
  }

  // Median of several runs, in microseconds.
  static long median(const std::function<void()>& run) {
    std::vector<long> times;
    for (int i = 0; i < 15; ++i) {
      const auto start = std::chrono::steady_clock::now();
      run();
      times.push_back(
          std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start)
              .count());
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
  }

  FakeNode node_;
};

TEST_F(Speed, DiscoveryAndRenderOfSixteenCards) {
  const Recipe recipe = nvidia_recipe();
  std::vector<Slice> all(kCards);
  for (std::uint32_t i = 0; i < kCards; ++i) {
    all[i].device_index = i;
    all[i].whole = true;
  }
  const long time = median([&] {
    const auto inventory = discover(recipe, node_.roots());
    ASSERT_TRUE(inventory) << inventory.error().line();
    ASSERT_EQ(inventory->devices.size(), static_cast<std::size_t>(kCards));
    const auto rendered = render(recipe, *inventory, all, {}, {});
    ASSERT_TRUE(rendered) << rendered.error().line();
  });
  RecordProperty("microseconds", std::to_string(time));
  std::printf("discovery and render of %d cards: %ld us\n", kCards, time);
  EXPECT_LT(time, 100'000);
}

}  // namespace
}  // namespace hami::vendors
