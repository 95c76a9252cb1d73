#include "oci-config/apply.h"

#include <string>

#include <gtest/gtest.h>

namespace hami::oci {
namespace {

constexpr const char* kSpec =
    R"({"ociVersion":"1.0.2","process":{"args":["sh"],"env":["A=1","B=2","A=3"],"x-new":1},)"
    R"("mounts":[{"destination":"/proc","type":"proc","source":"proc"}],)"
    R"("linux":{"resources":{"devices":[{"allow":false,"access":"rwm"}]}}})";

ContainerEdits some_edits() {
  ContainerEdits edits;
  edits.devices = {{"/dev/nvidia0", DeviceType::character, 195, 0, 0666, {}, {}, "rw"}};
  edits.mounts = {{"/usr/local/vgpu/libvgpu.so", "/host/libvgpu.so", "bind", {"bind", "ro"}},
                  {"/usr/local/vgpu", "/host/dir", "bind", {"bind", "rw"}}};
  edits.env = {
      {"A", "9", EnvEdit::Op::set}, {"C", "4", EnvEdit::Op::set}, {"B", "7", EnvEdit::Op::set_default}};
  edits.hooks = {{HookStage::create_container,
                  "/usr/bin/hami-hook",
                  {"hami-hook", "create-container"},
                  {"PATH=/bin"},
                  10}};
  edits.additional_gids = {44};
  edits.annotations = {{"hami.io/key", "k"}};
  edits.masked_paths = {"/proc/x"};
  return edits;
}

std::string applied(const std::string& text, const ContainerEdits& edits) {
  auto document = Document::parse(text);
  if (!document) return "parse: " + document.error().message;
  auto result = apply(*std::move(document), edits);
  return result ? result->serialize() : "error: " + result.error().message;
}

TEST(Apply, AddsWhatTheEditsSayAndKeepsTheRest) {
  EXPECT_EQ(
      applied(kSpec, some_edits()),
      R"({"ociVersion":"1.0.2","process":{"args":["sh"],"env":["A=9","B=2","C=4"],"x-new":1,)"
      R"("user":{"additionalGids":[44]}},)"
      R"("mounts":[{"destination":"/proc","type":"proc","source":"proc"},)"
      R"({"destination":"/usr/local/vgpu","type":"bind","source":"/host/dir","options":["bind","rw"]},)"
      R"({"destination":"/usr/local/vgpu/libvgpu.so","type":"bind","source":"/host/libvgpu.so","options":["bind","ro"]}],)"
      R"("linux":{"resources":{"devices":[{"allow":false,"access":"rwm"},)"
      R"({"allow":true,"type":"c","major":195,"minor":0,"access":"rw"}]},)"
      R"("devices":[{"path":"/dev/nvidia0","type":"c","major":195,"minor":0,"fileMode":438}],"maskedPaths":["/proc/x"]},)"
      R"("hooks":{"createContainer":[{"path":"/usr/bin/hami-hook","args":["hami-hook","create-container"],)"
      R"("env":["PATH=/bin"],"timeout":10}]},"annotations":{"hami.io/key":"k"}})");
}

TEST(Apply, TwiceIsOnce) {
  const std::string once = applied(kSpec, some_edits());

  EXPECT_EQ(applied(once, some_edits()), once);
}

TEST(Apply, PutsADenyAllRuleFirstWhenTheDocumentHasNoRules) {
  ContainerEdits edits;
  edits.devices = some_edits().devices;

  EXPECT_NE(
      applied("{\"linux\":{}}", edits).find(R"("devices":[{"allow":false,"access":"rwm"},{"allow":true)"),
      std::string::npos);
}

TEST(Apply, RefusesAMountOfTheContainerAtOurs) {
  const std::string spec =
      R"({"process":{},"mounts":[{"destination":"/usr//local/vgpu/./libvgpu.so/","source":"/evil"}]})";

  const std::string got = applied(spec, some_edits());

  EXPECT_NE(got.find("error: the container mounts '/evil' at '/usr/local/vgpu/libvgpu.so'"),
            std::string::npos)
      << got;
}

TEST(Apply, NamesTheMemberThatHasTheWrongType) {
  ContainerEdits edits;
  edits.env = {{"A", "1", EnvEdit::Op::set}};

  EXPECT_EQ(applied(R"({"process":{"env":{}}})", edits), "error: process.env is not an array");
  EXPECT_EQ(applied(R"({})", edits), "error: process is missing");
}

TEST(Apply, DropsForeignHooksByTheirName) {
  ContainerEdits edits;
  edits.drop_hooks = {"nvidia-container-runtime-hook"};
  const std::string spec =
      R"({"hooks":{"prestart":[{"path":"/usr/bin/nvidia-container-runtime-hook"},{"path":"/usr/bin/other"}]}})";

  EXPECT_EQ(applied(spec, edits), R"({"hooks":{"prestart":[{"path":"/usr/bin/other"}]}})");
}

TEST(Merge, KeepsEqualEntriesOnceAndRefusesConflicts) {
  ContainerEdits edits = some_edits();
  ASSERT_TRUE(merge(edits, some_edits()));
  EXPECT_EQ(edits, some_edits());

  ContainerEdits other;
  other.devices = {{"/dev/nvidia0", DeviceType::character, 195, 1, 0666, {}, {}, "rw"}};
  const auto result = merge(edits, other);

  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("device '/dev/nvidia0'"), std::string::npos);
}

TEST(Validate, RefusesEditsThatCouldLeaveTheirPlace) {
  ContainerEdits edits;
  edits.mounts = {{"/a/../b", "/x", "bind", {"bind"}}};
  EXPECT_FALSE(validate(edits));
  edits.mounts = {};
  edits.hooks = {{HookStage::poststop, "/h", {"h"}, {}, 0}};
  EXPECT_FALSE(validate(edits));
  EXPECT_TRUE(validate(some_edits()));
}

}  // namespace
}  // namespace hami::oci
