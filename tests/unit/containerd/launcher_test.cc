#include "containerd/shim/launcher.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "oci-config/base/files.h"

namespace hami::containerd {
namespace {

TEST(ShimLauncher, LooksBesideTheCallingContainerdFirst) {
  const std::vector<const char*> argv{
      "shim", "-namespace", "k8s.io", "-publish-binary", "/opt/c/bin/containerd", "start"};

  const auto got = shim_candidates(argv, "/a:relative::/b");

  const std::string name = "/containerd-shim-runc-v2";
  EXPECT_EQ(got, (std::vector<std::string>{"/opt/c/bin" + name, "/a" + name, "/b" + name, "/usr/bin" + name,
                                           "/usr/local/bin" + name}));
}

TEST(ShimLauncher, SaysWhatItLookedForAndWhatToDo) {
  const auto got = find_stock_shim({"/nowhere/containerd-shim-runc-v2"});

  ASSERT_FALSE(got);
  EXPECT_EQ(
      got.error().line(),
      "find containerd-shim-runc-v2: not in 1 directories; install containerd, or put its directory into "
      "containerd's PATH");
}

TEST(ShimLauncher, NeverBecomesItself) { EXPECT_FALSE(find_stock_shim({"/proc/self/exe"})); }

TEST(ShimLauncher, PutsItsDirectoryIntoThePathOnce) {
  EXPECT_EQ(with_shim_path("/usr/bin"), "/usr/lib/hami/shim-path:/usr/bin");
  EXPECT_EQ(with_shim_path(with_shim_path("/usr/bin")), "/usr/lib/hami/shim-path:/usr/bin");
}

TEST(ShimLauncher, RecognisesTheOptionsThatTheStockShimCannotRead) {
  EXPECT_TRUE(carries_unusable_options("\x0a\x26runtimeoptions.v1.Options\x12"));
  EXPECT_FALSE(
      carries_unusable_options("\x0a\x2a"
                               "containerd.runc.v1.Options"));
}

TEST(ShimLauncher, GivesTheInputOnUnchanged) {
  const std::string bytes("a\0b", 3);

  const auto file = keep_input(bytes);

  ASSERT_TRUE(file);
  EXPECT_EQ(*files::read_all(file->get(), "options", 100), bytes);
}

}  // namespace
}  // namespace hami::containerd
