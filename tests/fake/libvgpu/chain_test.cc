// Ways to the driver that depend on who asks: several libraries in front of it that ask for the next, plugins
// that want their own libraries first, a name space of their own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

using ::testing::HasSubstr;

std::string chained(const char* letter) {
  return std::string(HAMI_BUILD_DIR "/tests/libchained_") + letter + ".so";
}

// Libraries a and b in front of libvgpu.so where `with_ours`, c behind it.
std::string run(const SimNode& node, bool with_ours, bool is_limited) {
  Environment env = is_limited ? limited(node, "1g") : Environment{};
  const std::string ours = with_ours ? HAMI_LIB_DIR "/libvgpu.so " : "";
  env["LD_PRELOAD"] = chained("a") + " " + chained("b") + " " + ours + chained("c");
  const Outcome result = node.run({HAMI_BUILD_DIR "/tests/vgpu-chain", chained("c"), chained("d")}, env);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  return result.out;
}

constexpr const char* kHeld =
    "walk: abc\n"
    "walk: abc\n"
    "default: libvgpu\n"
    "handle: libvgpu\n"
    "next of main: libvgpu\n"
    "next of first: libvgpu\n"
    "next of last: libvgpu\n"
    "plugin: libvgpu\n"
    "plugin's own: libchained_d\n"
    "next of plugin: libvgpu\n"
    "another name space: libvgpu\n";

TEST(Chain, EndsInOursWhereverTheDriverWouldBeFound) {
  const SimNode node("cuda_version = 13.0\n");
  EXPECT_EQ(run(node, true, true), kHeld);
}

TEST(Chain, EndsInTheDriverWithoutALimit) {
  const SimNode node("cuda_version = 13.0\n");
  const std::string bare = run(node, false, false);

  EXPECT_THAT(bare, HasSubstr("next of last: libcuda"));
  EXPECT_EQ(run(node, true, false), bare);
}

}  // namespace
}  // namespace hami::fake
