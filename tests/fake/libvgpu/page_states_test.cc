// The page's file as it should not be: of an earlier version, of something else, cut off, not writable, on a
// disk that is full. Whatever it is, nothing is allocated without a limit, and nobody is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "libvgpu/abi/hami_region.h"
#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PageState : public ::testing::Test {
 protected:
  // A container whose page is not one: every allocation fails, with one line that says why.
  void expect_refused(const Container& container) {
    const Outcome result = container.run({client(), "alloc", "1"});
    EXPECT_LT(result.status, 128) << "not killed";
    EXPECT_THAT(result.out, Not(HasSubstr("SUCCESS")));
    EXPECT_THAT(result.err, HasSubstr("/usr/local/vgpu/usage"));
    EXPECT_EQ(result.err.find("libvgpu:"), result.err.rfind("libvgpu:")) << "said once";
  }
  // Without a container: the page is a file that variables name, on a file system of its own made by `mount`.
  Outcome run_on(const std::string& mount, const std::string& limit) {
    std::filesystem::create_directories(node_.file("disk"));
    Environment env = limited(node_, limit);
    env["VGPU"] = env["LD_PRELOAD"];
    env.erase("LD_PRELOAD");  // mount itself is none of its clients
    env["DISK"] = node_.file("disk");
    env["CUDA_DEVICE_MEMORY_SHARED_CACHE"] = node_.file("disk") + "/page";
    return node_.run({"unshare", "-m", "sh", "-c", mount + " && export LD_PRELOAD=\"$VGPU\" && exec \"$@\"",
                      "sh", client(), "alloc", "600", "600"},
                     env);
  }
  SimNode node_;
};

TEST_F(PageState, OfAnEarlierVersionIsRefused) {
  const Container container(node_, {1000});
  container.page().version = abi::kUsageVersion - 1;
  expect_refused(container);
}

TEST_F(PageState, OfAnotherSizeIsRefused) {
  const Container container(node_, {1000});
  container.page().size = sizeof(abi::UsagePage) - 64;
  expect_refused(container);
}

TEST_F(PageState, CutOffIsRefused) {
  const Container container(node_, {1000});
  std::filesystem::resize_file(node_.file("usage"), sizeof(abi::UsagePage) / 2);
  expect_refused(container);
  std::filesystem::resize_file(node_.file("usage"), 0);
  expect_refused(container);
}

TEST_F(PageState, OfAnEarlierVersionIsMadeAnewWhereVariablesAreTheLimit) {
  {
    std::ofstream file(node_.file("page"), std::ios::binary);
    file << std::string(abi::kPageAfterRegion, '\0');
    std::string old(sizeof(abi::UsagePage), '\0');
    const std::uint32_t words[] = {abi::kUsageVersion - 1, sizeof(abi::UsagePage)};  // what follows the magic
    std::memcpy(old.data(), &abi::kUsageMagic, sizeof abi::kUsageMagic);
    std::memcpy(old.data() + sizeof abi::kUsageMagic, words, sizeof words);
    file << old;
  }
  const Outcome result = node_.run({client(), "alloc", "600", "600"}, limited(node_, "1000m"));
  EXPECT_THAT(result.out,
              HasSubstr("cuMemAlloc 600 MiB: CUDA_SUCCESS\ncuMemAlloc 600 MiB: CUDA_ERROR_OUT_OF_MEMORY"));
  EXPECT_EQ(result.err, "");
}

TEST_F(PageState, CutOffIsMadeWholeWhereVariablesAreTheLimit) {
  node_.write("page", "HAMi");
  const Outcome result = node_.run({client(), "alloc", "600", "600"}, limited(node_, "1000m"));
  EXPECT_THAT(result.out,
              HasSubstr("cuMemAlloc 600 MiB: CUDA_SUCCESS\ncuMemAlloc 600 MiB: CUDA_ERROR_OUT_OF_MEMORY"));
}

TEST_F(PageState, OnAFullDiskFailsEveryAllocation) {
  const Outcome result = run_on("mount -t tmpfs -o size=64k none \"$DISK\"", "1000m");
  EXPECT_LT(result.status, 128) << "not killed";
  EXPECT_THAT(result.out, Not(HasSubstr("SUCCESS")));
  EXPECT_THAT(result.err, HasSubstr("/disk/page'"));
}

TEST_F(PageState, OnADiskThatCannotBeWrittenFailsEveryAllocation) {
  const Outcome result = run_on("mount -t tmpfs -o ro none \"$DISK\"", "1000m");
  EXPECT_THAT(result.out, Not(HasSubstr("SUCCESS")));
  EXPECT_THAT(result.err, HasSubstr("/disk/page'"));
}

TEST_F(PageState, OnADiskWithRoomIsTheLimit) {
  const Outcome result = run_on("mount -t tmpfs -o size=64m none \"$DISK\"", "1000m");
  EXPECT_THAT(result.out,
              HasSubstr("cuMemAlloc 600 MiB: CUDA_SUCCESS\ncuMemAlloc 600 MiB: CUDA_ERROR_OUT_OF_MEMORY"));
}

}  // namespace
}  // namespace hami::fake
