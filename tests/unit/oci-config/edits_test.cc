#include "oci-config/edits.h"

#include <functional>
#include <string>

#include <gtest/gtest.h>

namespace hami::oci {
namespace {

ContainerEdits some_edits() {
  ContainerEdits edits;
  edits.devices = {{"/dev/nvidia0", DeviceType::character, 195, 0, 0666, {}, {}, "rw"}};
  edits.mounts = {{"/usr/local/vgpu", "/host/dir", "bind", {"bind", "ro"}},
                  {"/scratch", "tmpfs", "tmpfs", {"size=64k", "mode=700"}}};
  edits.env = {{"A", "9", EnvEdit::Op::set}};
  edits.hooks = {{HookStage::poststop, "/usr/bin/h", {"h", "a b"}, {"PATH=/bin"}, 10}};
  edits.additional_gids = {44};
  edits.annotations = {{"k", "v"}};
  edits.masked_paths = {"/proc/x"};
  edits.readonly_paths = {"/proc/y"};
  edits.drop_hooks = {"foreign"};
  return edits;
}

std::string merged(const std::function<void(ContainerEdits&)>& change) {
  ContainerEdits edits = some_edits();
  ContainerEdits more = some_edits();
  change(more);
  const auto result = merge(edits, more);
  return result ? "merged" : result.error().message;
}

TEST(Merge, KeepsEqualEntriesOnce) {
  ContainerEdits edits = some_edits();

  ASSERT_TRUE(merge(edits, some_edits()));

  EXPECT_EQ(edits, some_edits());
}

TEST(Merge, AppendsWhatIsNew) {
  ContainerEdits edits;

  ASSERT_TRUE(edits.empty());
  ASSERT_TRUE(merge(edits, some_edits()));

  EXPECT_EQ(edits, some_edits());
  EXPECT_FALSE(edits.empty());
}

TEST(Merge, ShowsBothSidesOfAConflict) {
  EXPECT_EQ(merged([](auto& more) { more.devices[0].minor = 1; }),
            "device '/dev/nvidia0' is wanted as 195:0 rw and as 195:1 rw");
  EXPECT_EQ(merged([](auto& more) {
              more.mounts[0] = {"/usr/local/vgpu/", "/x", "bind", {"bind"}};
            }),
            "mount at '/usr/local/vgpu/' is wanted as '/host/dir' (bind,ro) and as '/x' (bind)");
  EXPECT_EQ(merged([](auto& more) { more.env[0].value = "8"; }), "variable 'A' is wanted as '9' and as '8'");
  EXPECT_EQ(merged([](auto& more) { more.hooks[0].env = {"PATH=/x"}; }),
            "hook '/usr/bin/h' is wanted as 'PATH=/bin' and as 'PATH=/x'");
  EXPECT_EQ(merged([](auto& more) { more.annotations["k"] = "w"; }),
            "annotation 'k' is wanted as 'v' and as 'w'");
}

TEST(Merge, DoesNotTakeOtherArgumentsOrAnotherStageForAConflict) {
  EXPECT_EQ(merged([](auto& more) { more.hooks[0].args = {"h", "a", "b"}; }), "merged");
  EXPECT_EQ(merged([](auto& more) { more.hooks[0].stage = HookStage::prestart; }), "merged");
}

TEST(Validate, AcceptsCleanEdits) {
  const auto result = validate(some_edits());

  EXPECT_TRUE(result) << result.error().line();
  EXPECT_TRUE(validate(ContainerEdits{}));
}

struct Defect {
  const char* message;
  void (*make)(ContainerEdits&);
};

class Defects : public testing::TestWithParam<Defect> {};

TEST_P(Defects, AreFound) {
  ContainerEdits edits = some_edits();
  GetParam().make(edits);

  const auto result = validate(edits);

  ASSERT_FALSE(result) << GetParam().message;
  EXPECT_EQ(result.error().code, Errc::internal);
  EXPECT_EQ(result.error().message, std::string("an edit has ") + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    All, Defects,
    testing::Values(
        Defect{"the device path 'dev/x'", [](ContainerEdits& e) { e.devices[0].path = "dev/x"; }},
        Defect{"the device path '/dev/../x'", [](ContainerEdits& e) { e.devices[0].path = "/dev/../x"; }},
        Defect{"the device access 'rx'", [](ContainerEdits& e) { e.devices[0].access = "rx"; }},
        Defect{"the device access ''", [](ContainerEdits& e) { e.devices[0].access = ""; }},
        Defect{"a negative number for the device '/dev/nvidia0'",
               [](ContainerEdits& e) { e.devices[0].minor = -1; }},
        Defect{"more than permissions in the mode of '/dev/nvidia0'",
               [](ContainerEdits& e) { e.devices[0].file_mode = 020666; }},
        Defect{"the mount destination '/a/../b'",
               [](ContainerEdits& e) { e.mounts[0].destination = "/a/../b"; }},
        Defect{"the mount destination '/./'", [](ContainerEdits& e) { e.mounts[0].destination = "/./"; }},
        Defect{"the mount source ''", [](ContainerEdits& e) { e.mounts[0].source = ""; }},
        Defect{"the mount source 'host'", [](ContainerEdits& e) { e.mounts[0].source = "host"; }},
        Defect{"the bind option 'r0'",
               [](ContainerEdits& e) {
                 e.mounts[0].options = {"bind", "r0"};
               }},
        Defect{"no option 'bind' for '/usr/local/vgpu'",
               [](ContainerEdits& e) { e.mounts[0].options = {"ro"}; }},
        Defect{"the variable name ''", [](ContainerEdits& e) { e.env[0].name = ""; }},
        Defect{"the variable name 'A=B'", [](ContainerEdits& e) { e.env[0].name = "A=B"; }},
        Defect{"a NUL in the variable 'A'", [](ContainerEdits& e) { e.env[0].value = std::string(1, 0); }},
        Defect{"the hook path 'h'", [](ContainerEdits& e) { e.hooks[0].path = "h"; }},
        Defect{"no args for the hook '/usr/bin/h'", [](ContainerEdits& e) { e.hooks[0].args = {}; }},
        Defect{"no env for the hook '/usr/bin/h'", [](ContainerEdits& e) { e.hooks[0].env = {}; }},
        Defect{"the hook variable 'PATH'", [](ContainerEdits& e) { e.hooks[0].env = {"PATH"}; }},
        Defect{"a negative time limit for the hook '/usr/bin/h'",
               [](ContainerEdits& e) { e.hooks[0].timeout_seconds = -1; }},
        Defect{"the annotation ''", [](ContainerEdits& e) { e.annotations[""] = "x"; }},
        Defect{"the masked or read-only path 'x'", [](ContainerEdits& e) { e.masked_paths = {"x"}; }},
        Defect{"the masked or read-only path '/x/..'",
               [](ContainerEdits& e) { e.readonly_paths = {"/x/.."}; }}));

}  // namespace
}  // namespace hami::oci
