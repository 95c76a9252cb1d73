// What a program finds when it looks for the driver's functions: the same variants as without libvgpu.so.
#include <gtest/gtest.h>

#include <sstream>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

const std::string kProgram = HAMI_BUILD_DIR "/bin/vgpu-lookup";

// The first line in which two outputs differ.
std::string difference(const std::string& bare, const std::string& ours) {
  std::istringstream a(bare);
  std::istringstream b(ours);
  std::string left;
  std::string right;
  while (std::getline(a, left) && std::getline(b, right)) {
    if (left != right) return "driver: " + left + "\nlibvgpu: " + right;
  }
  return bare == ours ? "" : "one is longer";
}

class Lookup : public ::testing::TestWithParam<const char*> {};

TEST_P(Lookup, AnswersEveryQueryAsTheDriverDoes) {
  const SimNode node(std::string("cuda_version = ") + GetParam() + "\n");

  const Outcome bare = node.run({kProgram});
  const Outcome ours = node.run({kProgram}, limited(node, "1g"));

  ASSERT_EQ(bare.status, 0) << bare.err;
  EXPECT_GT(bare.out.size(), 1'000'000U);
  EXPECT_EQ(ours.status, 0) << ours.err;
  EXPECT_EQ(difference(bare.out, ours.out), "");
  EXPECT_EQ(ours.err, "");
}

INSTANTIATE_TEST_SUITE_P(Versions, Lookup, ::testing::Values("11.4", "12.4", "13.0"),
                         [](const auto& version) {
                           std::string name = version.param;
                           name[name.find('.')] = '_';
                           return name;
                         });

TEST(LookupOfHeldFunctions, EndsInOurs) {
  const SimNode node("cuda_version = 13.0\n");

  EXPECT_EQ(node.run({kProgram, "--held"}).out, "");
  const std::string held = node.run({kProgram, "--held"}, limited(node, "1g")).out;

#define HAMI_FN(symbol, since, result, params, args) \
  EXPECT_NE(("\n" + held).find("\n" #symbol "\n"), std::string::npos) << #symbol;
#include "libvgpu/cuda/functions.def"
}

TEST(LookupOfHeldFunctions, IsTheDriversWithoutALimit) {
  const SimNode node("cuda_version = 13.0\n");

  EXPECT_EQ(node.run({kProgram, "--held"}, {{"LD_PRELOAD", HAMI_LIB_DIR "/libvgpu.so"}}).out, "");
}

}  // namespace
}  // namespace hami::fake
