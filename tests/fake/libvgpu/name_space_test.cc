// Plugins in name spaces of the loader's that the preloads are not in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

using ::testing::HasSubstr;

class NameSpace : public ::testing::Test {
 protected:
  static std::vector<std::string> host(const std::vector<std::string>& steps) {
    std::vector<std::string> words = {HAMI_BUILD_DIR "/tests/vgpu-host",
                                      HAMI_BUILD_DIR "/tests/libvgpu_plugin.so"};
    words.insert(words.end(), steps.begin(), steps.end());
    return words;
  }
  Outcome run(const std::vector<std::string>& steps) const { return container_.run(host(steps)); }

  SimNode node_{"cuda_version = 13.0\n"};
  Container container_{node_, {1000}};
};

TEST_F(NameSpace, OfAPluginIsHeldToTheLimit) {
  const Outcome result = run({"open", "take", "2000", "take", "400", "total"});
  EXPECT_EQ(result.out, "open: 0\ntake 2000: 2\ntake 400: 0\ntotal: 1000\n") << result.err;
  EXPECT_EQ(result.err, "");
}

TEST_F(NameSpace, AndTheProgramsOwnShareOneLimit) {
  const Outcome result = run({"main", "300", "open", "take", "400", "open", "find", "400", "main", "400"});
  EXPECT_EQ(result.out, "main 300: 0\nopen: 0\ntake 400: 0\nopen: 0\nfind 400: 2\nmain 400: 2\n")
      << result.err;
  EXPECT_EQ(container_.repaired(), 0U) << "nothing is left of a process that ended";
}

TEST_F(NameSpace, LeadsToItsOwnDriverThroughOurFunctions) {
  const Outcome result = run({"open", "take", "1", "hand", "2000", "hand", "400", "hand", "700"});
  EXPECT_EQ(result.out, "open: 0\ntake 1: 0\nhand 2000: 2\nhand 400: 0\nhand 700: 2\n") << result.err;
}

TEST_F(NameSpace, IsCountedOnceAndListedAsOneProcess) {
  const pid_t pid = container_.start("host", host({"main", "200", "open", "take", "300", "wait"}));
  ASSERT_TRUE(eventually([&] { return node_.read("host.out").find("take 300") != std::string::npos; }));

  const Outcome listed = container_.run(
      {HAMI_SIM_DIR "/nvidia-smi", "--query-compute-apps=used_memory", "--format=csv,noheader,nounits"});
  const std::uint64_t held = node_.stat("device", "used");

  EXPECT_EQ(std::count(listed.out.begin(), listed.out.end(), '\n'), 1) << listed.out;
  EXPECT_GE(container_.committed(), 500 * kMiB);
  EXPECT_LE(container_.committed(), held) << "bytes of the card, as the node sees them";
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

TEST_F(NameSpace, InAChildOfAForkIsTheChilds) {
  const Outcome result = run({"open", "total", "fork", "2000", "take", "600"});
  EXPECT_EQ(result.out.substr(result.out.find("take")), "take 600: 0\n") << result.out << result.err;
}

TEST_F(NameSpace, IsOpenedAndClosedAsOftenAsWithoutUs) {
  const Outcome bare = node_.run(host({"again", "40"}));
  EXPECT_EQ(run({"again", "40"}).out, bare.out);
}

TEST_F(NameSpace, OfAFileThatIsMissingFailsInTheLoadersWords) {
  const Outcome bare = node_.run(host({"missing"}));
  const Outcome ours = run({"missing", "missing", "open", "take", "2000"});
  EXPECT_EQ(ours.out, bare.out + bare.out + "open: 0\ntake 2000: 2\n");
}

TEST_F(NameSpace, IsTheLoadersOwnWithoutALimit) {
  const Outcome result =
      node_.run(host({"open", "take", "2000", "total"}), {{"LD_PRELOAD", HAMI_LIB_DIR "/libvgpu.so"}});
  EXPECT_THAT(result.out, HasSubstr("take 2000: 0\n"));
  EXPECT_EQ(result.err, "");
}

TEST_F(NameSpace, IsHeldByVariablesToo) {
  const Outcome result =
      node_.run(host({"main", "300", "open", "take", "800", "take", "400"}), limited(node_, "1000m"));
  EXPECT_EQ(result.out, "main 300: 0\nopen: 0\ntake 800: 2\ntake 400: 0\n") << result.err;
}

}  // namespace
}  // namespace hami::fake
