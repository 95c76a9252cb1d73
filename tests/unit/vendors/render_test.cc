#include "vendors/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/vendors/fake_node.h"

namespace hami::vendors {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Render : public testing::Test {
 protected:
  void SetUp() override {
    node_.nvidia_kernel();
    node_.nvidia_user();
    if (!node_.nvidia_nodes()) GTEST_SKIP() << "device nodes cannot be made here (needs root with CAP_MKNOD)";
  }

  Result<Rendered> run(const std::vector<Slice>& slices, const std::vector<std::string>& capabilities = {}) {
    auto inventory = discover(recipe_, node_.roots());
    if (!inventory) return tl::unexpected<Error>(inventory.error());
    return render(recipe_, *inventory, slices, capabilities, facts_);
  }
  Rendered good(const std::vector<Slice>& slices, const std::vector<std::string>& capabilities = {}) {
    auto rendered = run(slices, capabilities);
    EXPECT_TRUE(rendered) << (rendered ? "" : rendered.error().line());
    return rendered.value_or(Rendered{});
  }
  std::string error(const std::vector<Slice>& slices, const std::vector<std::string>& capabilities = {}) {
    const auto rendered = run(slices, capabilities);
    return rendered ? "no error" : rendered.error().line();
  }

  static std::vector<std::string> devices(const Rendered& rendered) {
    std::vector<std::string> paths;
    for (const auto& device : rendered.edits.devices) paths.push_back(device.path);
    return paths;
  }
  static std::string source(const Rendered& rendered, const std::string& destination) {
    for (const auto& mount : rendered.edits.mounts) {
      if (mount.destination == destination) return mount.source;
    }
    return {};
  }
  static std::string env(const Rendered& rendered, const std::string& name) {
    for (const auto& edit : rendered.edits.env) {
      if (edit.name == name) return edit.value;
    }
    return {};
  }

  FakeNode node_;
  Recipe recipe_ = nvidia_recipe();
  ContainerFacts facts_;
  static constexpr const char* kLib = "/usr/lib/x86_64-linux-gnu";
};

Slice whole(std::uint32_t index) { return {index, {}, {}, true}; }

TEST_F(Render, GivesControlNodesAndTheChosenCardWithTheHostsNumbers) {
  const auto rendered = good({whole(1)});

  EXPECT_THAT(devices(rendered),
              ElementsAre("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia1"));
  const auto& card = rendered.edits.devices.back();
  EXPECT_EQ(card.major, 195);
  EXPECT_EQ(card.minor, 1);
  EXPECT_EQ(card.access, "rw");
  EXPECT_EQ(card.file_mode, 0666U);
  EXPECT_THAT(rendered.edits.additional_gids, IsEmpty());
}

TEST_F(Render, WithoutSlicesGivesTheDriverAndNoCard) {
  const auto rendered = good({});

  EXPECT_THAT(devices(rendered), Not(Contains(testing::StartsWith("/dev/nvidia0"))));
  EXPECT_FALSE(source(rendered, "/usr/bin/nvidia-smi").empty());
}

TEST_F(Render, MountsTheVersionedLibraryAndLinksTheNamesProgramsUse) {
  const auto rendered = good({whole(0)});

  EXPECT_EQ(source(rendered, std::string(kLib) + "/libcuda.so.550.90.07"),
            node_.path("usr/lib/x86_64-linux-gnu/libcuda.so.550.90.07"));
  EXPECT_THAT(rendered.plan.links,
              Contains(Link{std::string(kLib) + "/libcuda.so.1", "libcuda.so.550.90.07"}));
  EXPECT_THAT(rendered.plan.links, Contains(Link{std::string(kLib) + "/libcuda.so", "libcuda.so.1"}));
  EXPECT_THAT(rendered.plan.ldcache_dirs, ElementsAre(kLib));
  for (const auto& mount : rendered.edits.mounts) {
    EXPECT_EQ(mount.type, "bind");
    EXPECT_THAT(mount.options, ElementsAre("ro", "nosuid", "nodev", "rbind", "rprivate"))
        << mount.destination;
  }
}

TEST_F(Render, UsesLib64InContainersOfTheOtherLayout) {
  facts_.debian_layout = false;

  const auto rendered = good({whole(0)});

  EXPECT_FALSE(source(rendered, "/usr/lib64/libcuda.so.550.90.07").empty());
  EXPECT_THAT(rendered.plan.ldcache_dirs, ElementsAre("/usr/lib64"));
}

TEST_F(Render, GivesOnlyWhatTheCapabilitiesCover) {
  const auto rendered = good({whole(0)}, {"utility"});

  EXPECT_THAT(devices(rendered), ElementsAre("/dev/nvidiactl", "/dev/nvidia0"));
  EXPECT_TRUE(source(rendered, std::string(kLib) + "/libcuda.so.550.90.07").empty());
  EXPECT_FALSE(source(rendered, std::string(kLib) + "/libnvidia-ml.so.550.90.07").empty());
}

TEST_F(Render, GivesFirmwareSocketsAndTheParamsOverride) {
  node_.socket("run/nvidia-persistenced/socket");

  const auto rendered = good({whole(0)});

  EXPECT_EQ(source(rendered, "/lib/firmware/nvidia/550.90.07/gsp_ga10x.bin"),
            node_.path("usr/lib/firmware/nvidia/550.90.07/gsp_ga10x.bin"));
  EXPECT_FALSE(source(rendered, "/lib/firmware/nvidia/550.90.07/gsp_tu10x.bin").empty());
  EXPECT_FALSE(source(rendered, "/run/nvidia-persistenced/socket").empty());
  EXPECT_THAT(rendered.plan.proc_overrides,
              ElementsAre(ProcOverride{"/proc/driver/nvidia/params", "ModifyDeviceFiles: 1",
                                       "ModifyDeviceFiles: 0"}));
  EXPECT_THAT(rendered.skipped, Contains(HasSubstr("/run/nvidia-fabricmanager/socket")));
}

TEST_F(Render, LeavesParamsAloneThatAreAlreadyRight) {
  node_.write("proc/driver/nvidia/params", "ModifyDeviceFiles: 0\n");
  EXPECT_THAT(good({whole(0)}).plan.proc_overrides, IsEmpty());
}

TEST_F(Render, QuietensTheVendorsOwnRuntime) {
  const auto rendered = good({whole(0)});

  EXPECT_EQ(env(rendered, "NVIDIA_VISIBLE_DEVICES"), "void");
  EXPECT_THAT(rendered.edits.drop_hooks, Contains("nvidia-container-runtime-hook"));
}

TEST_F(Render, TellsLimitsPerOrdinalInTheHostsOrder) {
  const auto rendered = good({{1, Bytes::mib(4000), {50}, false}, {0, Bytes::mib(3000), {30}, false}});

  EXPECT_EQ(env(rendered, "CUDA_DEVICE_MEMORY_LIMIT_0"), "3000m");
  EXPECT_EQ(env(rendered, "CUDA_DEVICE_MEMORY_LIMIT_1"), "4000m");
  EXPECT_EQ(env(rendered, "CUDA_DEVICE_SM_LIMIT_0"), "30");
  EXPECT_EQ(env(rendered, "CUDA_DEVICE_SM_LIMIT"), "30");
}

TEST_F(Render, TellsNoLimitsForAWholeCard) {
  EXPECT_EQ(env(good({whole(0)}), "CUDA_DEVICE_MEMORY_LIMIT_0"), "");
}

TEST_F(Render, GivesDrmNodesWithTheirGroupForGraphics) {
  ASSERT_TRUE(node_.node("dev/dri/card1", 226, 1, 0660));
  ASSERT_TRUE(node_.node("dev/dri/renderD128", 226, 128, 0660));
  ASSERT_EQ(::chown(node_.path("dev/dri/renderD128").c_str(), 0, 104), 0);

  const auto rendered = good({whole(0)}, {"graphics"});

  EXPECT_THAT(devices(rendered), Contains("/dev/dri/card1"));
  EXPECT_THAT(devices(rendered), Contains("/dev/dri/renderD128"));
  EXPECT_THAT(rendered.edits.additional_gids, ElementsAre(104U));
  EXPECT_THAT(rendered.plan.links,
              Contains(Link{"/dev/dri/by-path/pci-0000:1a:00.0-render", "../renderD128"}));
}

TEST_F(Render, RefusesANodeThatIsNotTheDrivers) {
  ASSERT_TRUE(node_.node("dev/nvidia0", 1, 1));
  EXPECT_THAT(error({whole(0)}), HasSubstr("has major 1, which is not that of nvidia"));

  ASSERT_TRUE(node_.node("dev/nvidia0", 195, 5));
  EXPECT_THAT(error({whole(0)}), HasSubstr("has minor 5 instead of 0"));

  node_.write("dev/nvidia0", "a file");
  std::filesystem::remove(node_.path("dev/nvidia0"));
  node_.write("dev/nvidia0", "a file");
  EXPECT_THAT(error({whole(0)}), HasSubstr("is not a character device"));

  node_.link("dev/nvidia0", "nvidia1");
  EXPECT_THAT(error({whole(0)}), HasSubstr("find device node '/dev/nvidia0'"));
}

TEST_F(Render, AcceptsTheOldNameOfTheDriver) {
  node_.write("proc/devices", "Character devices:\n195 nvidia-frontend\n235 nvidia-uvm\n");
  EXPECT_EQ(error({whole(0)}), "no error");
}

TEST_F(Render, SaysWhatToDoWhenANodeIsMissing) {
  std::filesystem::remove(node_.path("dev/nvidia-uvm"));
  EXPECT_THAT(error({whole(0)}), HasSubstr("run nvidia-modprobe -u -c 0 on the node"));
}

TEST_F(Render, NamesTheVersionTheNodeHasInsteadOfTheKernels) {
  std::filesystem::remove(node_.path("usr/lib/x86_64-linux-gnu/libcuda.so.550.90.07"));
  node_.library("usr/lib/x86_64-linux-gnu", "libcuda", ".so.1", "535.10.01");

  const auto message = error({whole(0)});

  EXPECT_THAT(message, HasSubstr("find library 'libcuda.so.550.90.07'"));
  EXPECT_THAT(message, HasSubstr("the node has version 535.10.01"));
}

TEST_F(Render, NeverFollowsALinkOutOfTheDriverRoot) {
  FakeNode outside;
  outside.write("secret.so.550.90.07", "secret");
  std::filesystem::remove(node_.path("usr/lib/x86_64-linux-gnu/libcuda.so.550.90.07"));
  node_.link("usr/lib/x86_64-linux-gnu/libcuda.so.550.90.07", outside.path("secret.so.550.90.07"));

  EXPECT_THAT(error({whole(0)}), HasSubstr("find library 'libcuda.so.550.90.07'"));
}

TEST_F(Render, TakesNoLibraryThatOthersCanChange) {
  std::filesystem::permissions(node_.path("usr/lib/x86_64-linux-gnu/libcuda.so.550.90.07"),
                               std::filesystem::perms(0666));
  EXPECT_THAT(error({whole(0)}), HasSubstr("find library 'libcuda.so.550.90.07'"));
}

TEST_F(Render, IsDeterministic) {
  EXPECT_EQ(good({whole(0), whole(1)}).edits, good({whole(1), whole(0)}).edits);
}

TEST_F(Render, RefusesASliceOfADeviceThatIsNotThere) {
  const auto rendered = run({whole(7)});
  ASSERT_FALSE(rendered);
  EXPECT_EQ(rendered.error().code, Errc::internal);
}

TEST_F(Render, GivesEditsThatAreValid) { EXPECT_TRUE(oci::validate(good({whole(0)}, {"all"}).edits)); }

// The layouts of the distributions, each found without a change of the recipe.
class RenderLayouts : public Render {
 protected:
  void SetUp() override {
    node_.nvidia_kernel();
    node_.write("usr/bin/nvidia-smi", "#!/bin/sh\n", 0755);
    if (!node_.nvidia_nodes()) GTEST_SKIP() << "device nodes cannot be made here (needs root with CAP_MKNOD)";
  }
};

TEST_F(RenderLayouts, DebianAlternatives) {
  const std::string current = "usr/lib/x86_64-linux-gnu/nvidia/current";
  for (const std::string name : {"libcuda", "libnvidia-ml"}) {
    node_.library(current, name);
    node_.link("etc/alternatives/" + name, "/" + current + "/" + name + ".so.1");
    node_.link("usr/lib/x86_64-linux-gnu/" + name + ".so.1", "/etc/alternatives/" + name);
  }
  std::filesystem::remove(node_.path("usr/bin/nvidia-smi"));
  node_.write("usr/lib/nvidia/current/nvidia-smi", "#!/bin/sh\n", 0755);
  node_.link("usr/bin/nvidia-smi", "/usr/lib/nvidia/current/nvidia-smi");
  node_.link("lib", "usr/lib");
  node_.write("etc/ld.so.cache",
              ld_cache({{"libcuda.so.1", "/lib/x86_64-linux-gnu/libcuda.so.1"},
                        {"libnvidia-ml.so.1", "/lib/x86_64-linux-gnu/libnvidia-ml.so.1"}}));

  const auto rendered = good({whole(0)});

  EXPECT_EQ(source(rendered, std::string(kLib) + "/libcuda.so.550.90.07"),
            node_.path(current + "/libcuda.so.550.90.07"));
  EXPECT_THAT(rendered.plan.links,
              Contains(Link{std::string(kLib) + "/libcuda.so.1", "libcuda.so.550.90.07"}));
  EXPECT_EQ(source(rendered, "/usr/bin/nvidia-smi"), node_.path("usr/lib/nvidia/current/nvidia-smi"));
}

TEST_F(RenderLayouts, RedHatLib64) {
  node_.library("usr/lib64", "libcuda");
  node_.library("usr/lib64", "libnvidia-ml");
  node_.write("etc/ld.so.cache", ld_cache({{"libcuda.so.1", "/lib64/libcuda.so.1"},
                                           {"libnvidia-ml.so.1", "/lib64/libnvidia-ml.so.1"}}));
  node_.link("lib64", "usr/lib64");

  EXPECT_EQ(source(good({whole(0)}), std::string(kLib) + "/libcuda.so.550.90.07"),
            node_.path("usr/lib64/libcuda.so.550.90.07"));
}

TEST_F(RenderLayouts, WithoutALoaderCacheByDirectories) {
  node_.library("usr/lib64", "libcuda");
  node_.library("usr/lib64", "libnvidia-ml");

  const auto rendered = good({whole(0)});

  EXPECT_FALSE(source(rendered, std::string(kLib) + "/libcuda.so.550.90.07").empty());
  EXPECT_THAT(rendered.plan.links,
              Contains(Link{std::string(kLib) + "/libcuda.so.1", "libcuda.so.550.90.07"}));
  EXPECT_THAT(rendered.skipped, Contains(HasSubstr("/etc/ld.so.cache")));
}

TEST_F(RenderLayouts, ThirtyTwoBitFilesGoToTheirOwnDirectory) {
  node_.library("usr/lib64", "libcuda");
  node_.library("usr/lib64", "libnvidia-ml");
  node_.library("usr/lib/i386-linux-gnu", "libcuda");

  const auto rendered = good({whole(0)}, {"compute", "compat32", "utility"});

  EXPECT_EQ(source(rendered, "/usr/lib/i386-linux-gnu/libcuda.so.550.90.07"),
            node_.path("usr/lib/i386-linux-gnu/libcuda.so.550.90.07"));
  EXPECT_THAT(rendered.plan.links, Contains(Link{"/usr/lib/i386-linux-gnu/libcuda.so", "libcuda.so.1"}));
}

}  // namespace
}  // namespace hami::vendors
