// Arguments that make no sense: what the driver says to them, it says through libvgpu.so as well, and nothing
// is charged for them.
#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

// The answers by call.
std::map<std::string, std::string> answers(const std::string& text) {
  std::map<std::string, std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto colon = line.find(": ");
    if (colon != std::string::npos) found[line.substr(0, colon)] = line.substr(colon + 2);
  }
  return found;
}

class Nulls : public ::testing::TestWithParam<const char*> {};

TEST_P(Nulls, AreAnsweredAsTheDriverAnswersThem) {
  const SimNode node("cuda_version = 13.0\n");
  const Container container(node, {1000});
  const std::vector<std::string> command = {HAMI_BUILD_DIR "/bin/vgpu-nulls", GetParam()};

  const auto bare = answers(node.run(command).out);
  const Outcome ours = container.run(command);

  EXPECT_GT(bare.size(), 80U);
  EXPECT_EQ(ours.status, 0) << ours.err;
  for (const auto& [call, answer] : answers(ours.out)) {
    const auto found = bare.find(call);
    ASSERT_NE(found, bare.end()) << call;
    EXPECT_EQ(answer, found->second) << call;
  }
}

INSTANTIATE_TEST_SUITE_P(Libraries, Nulls, ::testing::Values("cuda", "nvml"),
                         [](const auto& library) { return std::string(library.param); });

}  // namespace
}  // namespace hami::fake
