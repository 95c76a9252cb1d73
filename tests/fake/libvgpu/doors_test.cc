// Doors to the driver that few programs use, programs and libraries that replace functions of the loader
// themselves, and nodes without a driver.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const char* const kDoors = HAMI_BUILD_DIR "/bin/vgpu-doors";
const char* const kOverrider = HAMI_BUILD_DIR "/tests/liboverrider.so";
const char* const kOurs = HAMI_LIB_DIR "/libvgpu.so";

TEST(LoaderDoors, LeadToOursUnderEveryNameOfTheDriversFile) {
  const SimNode node("cuda_version = 13.0\n");

  const Outcome result = node.run({kDoors, "forms", HAMI_SIM_DIR}, limited(node, "1g"));

  EXPECT_EQ(result.out,
            "libcuda.so.1: libvgpu\nlibcuda.so.1 again: libvgpu\n"
            "libcuda.so: libvgpu\nlibcuda.so again: libvgpu\n"
            "/libcuda.so.1: libvgpu\n/libcuda.so.1 again: libvgpu\n"
            "/libcuda.so: libvgpu\n/libcuda.so again: libvgpu\n");
  EXPECT_EQ(result.err, "");
}

TEST(LoaderDoors, OfOneVersionLeadNowhereElse) {
  const SimNode node("cuda_version = 13.0\n");
  const std::string bare = node.run({kDoors, "versioned"}).out;

  const std::string ours = node.run({kDoors, "versioned"}, limited(node, "1g")).out;

  EXPECT_EQ(bare,
            "handle: nothing\ndefault: nothing\nnot there: nothing\nof the C library: libc\n"
            "next: nothing\n");
  EXPECT_EQ(ours.substr(0, ours.find("next: ")), bare.substr(0, bare.find("next: ")));
  EXPECT_THAT(ours, Not(HasSubstr("libcuda")));
}

TEST(LoaderDoors, OfTheLoaderAreOursWhoeverHandsThemOut) {
  const SimNode node("cuda_version = 13.0\n");

  const std::string ours = node.run({kDoors, "loader"}, limited(node, "1g")).out;

  EXPECT_THAT(ours, Not(HasSubstr("libcuda")));
  EXPECT_THAT(ours, HasSubstr("of the C library and a version: libvgpu\n"));
  EXPECT_THAT(node.run({kDoors, "loader"}, {{"LD_PRELOAD", kOurs}}).out, Not(HasSubstr("libvgpu")))
      << "without a limit everything is the driver's";
}

TEST(LoaderDoors, LeadNowhereWithoutADriver) {
  const SimNode node;
  const Container container(node, {1000});
  const Environment nowhere = {{"LD_LIBRARY_PATH", "/nonexistent"}};

  const Outcome bare = node.run({kDoors, "absent"}, nowhere);
  const Outcome ours = container.run({kDoors, "absent"}, nowhere);

  EXPECT_THAT(bare.out, HasSubstr("cuMemAlloc_v2: nothing, undefined\n"));
  EXPECT_EQ(ours.out, bare.out);
  EXPECT_EQ(ours.status, 0);
  EXPECT_EQ(ours.err, "");
  EXPECT_EQ(container.page().high_water.load(), 0U) << "it is not on the page";
}

TEST(LoaderDoors, OfAProgramLinkedToAMissingDriverFailAsEver) {
  const SimNode node;
  const Environment nowhere = {{"LD_LIBRARY_PATH", "/nonexistent"}};
  Environment held = limited(node, "1g");
  held.insert(nowhere.begin(), nowhere.end());

  const Outcome bare = node.run({linked_client(), "info"}, nowhere);
  const Outcome ours = node.run({linked_client(), "info"}, held);

  EXPECT_NE(bare.status, 0);
  EXPECT_EQ(ours.status, bare.status);
  EXPECT_EQ(ours.err, bare.err);
}

// Libraries in the order in which they are preloaded.
class Overrider : public ::testing::TestWithParam<std::vector<std::string>> {
 protected:
  Environment preloaded(const std::string& limit) const {
    Environment env = limited(node_, limit);
    env["LD_PRELOAD"].clear();
    for (const std::string& library : GetParam()) env["LD_PRELOAD"] += library + " ";
    return env;
  }
  SimNode node_{"cuda_version = 13.0\n"};
};

TEST_P(Overrider, OfTheLoadersFunctionsChangesNothing) {
  const Outcome loader = node_.run({kDoors, "loader"}, preloaded("1g"));
  EXPECT_THAT(loader.out, Not(HasSubstr("libcuda"))) << loader.err;

  Environment env = preloaded("1g");
  env["TELL"] = "1";
  const Outcome much = node_.run({kDoors, "alloc", "2000"}, env);

  EXPECT_EQ(much.out, "2000: 2\n");
  EXPECT_EQ(much.err, "overrider: asked\n");
  EXPECT_EQ(node_.run({kDoors, "alloc", "1000"}, preloaded("1g")).out, "1000: 0\n");
}

TEST_P(Overrider, OfAllocationWorksInProgramsWithoutCuda) {
  const Outcome result = node_.run({"bash", "-c", "echo $((6 * 7)) | cat"}, preloaded("1g"));
  EXPECT_EQ(result.out, "42\n");
  EXPECT_EQ(result.err, "");
}

INSTANTIATE_TEST_SUITE_P(Order, Overrider,
                         ::testing::Values(std::vector<std::string>{kOverrider, kOurs},
                                           std::vector<std::string>{kOurs, kOverrider}),
                         [](const auto& order) { return order.param[0] == kOurs ? "Behind" : "InFront"; });

// An audit library sees every binding of a program, through the loader itself.
class Audited : public ::testing::TestWithParam<std::string> {};

TEST_P(Audited, ProgramsAreHeld) {
  const SimNode node("cuda_version = 13.0\n");
  Environment env = limited(node, "1g");
  env["LD_AUDIT"] = HAMI_BUILD_DIR "/tests/libauditor.so";
  env["AUDITED"] = node.file("audited");

  const Outcome much = node.run(client_through(GetParam(), {"--strict", "alloc", "2000"}), env);
  const Outcome all = node.run(client_through(GetParam(), {"--strict", "alloc", "1024"}), env);

  EXPECT_THAT(much.out, HasSubstr("2000 MiB: CUDA_ERROR_OUT_OF_MEMORY")) << much.err;
  EXPECT_THAT(all.out, HasSubstr("1024 MiB: CUDA_SUCCESS")) << all.err;
  if (GetParam() == "dlsym") {
    EXPECT_THAT(node.read("audited"), HasSubstr("cuMemAlloc_v2\n")) << "it saw the binding";
  }
}

INSTANTIATE_TEST_SUITE_P(Doors, Audited, ::testing::Values("linked", "dlsym", "procaddr"),
                         [](const auto& door) { return door.param; });

#ifdef HAMI_SANITIZED_DOORS
TEST(Sanitizer, InTheProgramFindsTheLimit) {
  const SimNode node("cuda_version = 13.0\n");
  const char* program = HAMI_BUILD_DIR "/bin/vgpu-doors-sanitized";
  Environment env = limited(node, "1g");
  env["ASAN_OPTIONS"] = "detect_leaks=0";

  EXPECT_EQ(node.run({program, "alloc", "2000"}, env).out, "2000: 2\n");
  const Outcome forms = node.run({program, "forms", HAMI_SIM_DIR}, env);

  EXPECT_THAT(forms.out, HasSubstr("libcuda.so.1 again: libvgpu\n"));
  EXPECT_THAT(forms.out, Not(HasSubstr(": libcuda\n")));
  EXPECT_EQ(forms.err, "");
}
#endif

}  // namespace
}  // namespace hami::fake
