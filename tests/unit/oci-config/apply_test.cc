#include "oci-config/apply.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "oci-config/apply_seccomp.h"

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

struct Overlap {
  const char* destination;
  const char* source;
  bool refused;
};

class Overlaps : public testing::TestWithParam<Overlap> {};

TEST_P(Overlaps, WithOurMountsAreRefusedUnlessTheyAreOurs) {
  const Overlap& mount = GetParam();
  const std::string spec = std::string(R"({"process":{},"mounts":[{"destination":")") + mount.destination +
                           R"(","source":")" + mount.source + R"("}]})";

  const std::string got = applied(spec, some_edits());

  EXPECT_EQ(got.find("error: the container mounts") == 0, mount.refused) << got;
}

INSTANTIATE_TEST_SUITE_P(
    All, Overlaps,
    testing::Values(Overlap{"/usr/local/vgpu", "/evil", true}, Overlap{"/usr/local/vgpu/", "/evil", true},
                    Overlap{"/usr//local/./vgpu", "/evil", true},
                    Overlap{"/usr/local/x/../vgpu/libvgpu.so", "/evil", true},
                    Overlap{"/../usr/local/vgpu", "/evil", true}, Overlap{"usr/local/vgpu", "/evil", true},
                    Overlap{"/usr/local/vgpu/libvgpu.so", "/evil", true},
                    Overlap{"/usr/local/vgpu/libvgpu.so", "/host/dir", true},
                    Overlap{"/usr/local/vgpu/new", "/host/dir", true},
                    Overlap{"/usr/local/vgpu/libvgpu.so", "/host/libvgpu.so", false},
                    Overlap{"/usr/local/vgpu/", "/host/dir", false}, Overlap{"/usr/local", "/mine", false},
                    Overlap{"/usr/local/vgpu2", "/mine", false}, Overlap{"/", "/mine", false},
                    Overlap{"/proc", "proc", false}));

TEST(Apply, LeavesRulesOfTheContainerThatGiveMoreThanOurs) {
  ContainerEdits edits;
  edits.devices = some_edits().devices;
  const std::string rule = R"({"allow":true,"type":"c","major":195,"minor":0,"access":"rwm"})";

  const std::string got = applied(R"({"linux":{"resources":{"devices":[)" + rule + "]}}}", edits);

  EXPECT_NE(got.find("[" + rule + R"(,{"allow":true,"type":"c","major":195,"minor":0,"access":"rw"}])"),
            std::string::npos)
      << got;
}

TEST(Apply, ReplacesANodeOfTheContainerAtOurPath) {
  ContainerEdits edits;
  edits.devices = some_edits().devices;

  const std::string got =
      applied(R"({"linux":{"devices":[{"path":"/dev//nvidia0","major":1},{"path":"/dev/x"}]}})", edits);

  EXPECT_NE(got.find(R"("devices":[{"path":"/dev/x"},{"path":"/dev/nvidia0","type":"c",)"), std::string::npos)
      << got;
}

TEST(Apply, LeavesOneEntryPerVariableThatItNames) {
  ContainerEdits edits;
  edits.env = {{"SET", "new", EnvEdit::Op::set},
               {"DEFAULT", "new", EnvEdit::Op::set_default},
               {"GONE", "", EnvEdit::Op::unset},
               {"ABSENT", "", EnvEdit::Op::unset},
               {"BARE", "new", EnvEdit::Op::set}};

  EXPECT_EQ(
      applied(
          R"({"process":{"env":["SET=1","X=1","DEFAULT=1","GONE=1","SET=2","DEFAULT=2","X=2","GONE","BARE",7]}})",
          edits),
      R"({"process":{"env":["SET=new","X=1","DEFAULT=2","X=2","BARE=new",7]}})");
}

TEST(Apply, DoesNotTakeABeginningOfANameForIt) {
  ContainerEdits edits;
  edits.env = {{"A", "new", EnvEdit::Op::set}};

  EXPECT_EQ(applied(R"({"process":{"env":["AB=1","=A","a=1"]}})", edits),
            R"({"process":{"env":["AB=1","=A","a=1","A=new"]}})");
}

// A quadratic removal would take minutes here.
TEST(Apply, TakesALongEnvironmentInNoTime) {
  ContainerEdits edits;
  edits.env = {{"A", "", EnvEdit::Op::unset}};
  std::string env;
  for (int i = 0; i < 200000; ++i) env += R"("A=1","B=1",)";

  const std::string got = applied(R"({"process":{"env":[)" + env + R"("A"]}})", edits);

  EXPECT_EQ(got.find("A=1"), std::string::npos);
}

TEST(Apply, NamesEveryMemberThatHasTheWrongType) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"process":{},"linux":[]})", "error: linux is not an object"},
      {R"({"process":{},"linux":{"devices":{}}})", "error: linux.devices is not an array"},
      {R"({"process":{},"linux":{"resources":7}})", "error: linux.resources is not an object"},
      {R"({"process":{},"linux":{"resources":{"devices":"x"}}})",
       "error: linux.resources.devices is not an array"},
      {R"({"process":{},"linux":{"maskedPaths":{}}})", "error: linux.maskedPaths is not an array"},
      {R"({"process":{},"mounts":{}})", "error: mounts is not an array"},
      {R"({"process":{},"hooks":[]})", "error: hooks is not an object"},
      {R"({"process":{},"hooks":{"createContainer":{}}})", "error: hooks.createContainer is not an array"},
      {R"({"process":{},"annotations":[]})", "error: annotations is not an object"},
      {R"({"process":[]})", "error: process is not an object"},
      {R"({"process":{"user":1}})", "error: process.user is not an object"},
      {R"({"process":{"user":{"additionalGids":1}}})", "error: process.user.additionalGids is not an array"},
      {R"({"process":null})", "error: process is missing"},
  };
  for (const auto& [spec, message] : cases) EXPECT_EQ(applied(spec, some_edits()), message) << spec;
}

TEST(Apply, SurvivesElementsOfTheWrongType) {
  const std::string got = applied(
      R"({"process":{"env":[1,null,[]],"user":{"additionalGids":["x",null]}},"mounts":[1,null,{"destination":3}],)"
      R"("hooks":{"createContainer":[null,1,{"path":1,"args":1}]},)"
      R"("linux":{"devices":[null,"x",{"path":1}],"resources":{"devices":[null,1,{"allow":"x"}]},"maskedPaths":[1]}})",
      some_edits());

  EXPECT_EQ(got.find("error"), std::string::npos) << got;
  EXPECT_EQ(applied(got, some_edits()), got);
}

TEST(Apply, DropHooksLooksAtTheWholeLastComponent) {
  ContainerEdits edits;
  edits.drop_hooks = {"hook"};

  EXPECT_EQ(
      applied(
          R"({"hooks":{"poststop":[{"path":"hook"},{"path":"/a/hook"},{"path":"/hook/a"},{"path":"/xhook"}]}})",
          edits),
      R"({"hooks":{"poststop":[{"path":"/hook/a"},{"path":"/xhook"}]}})");
}

TEST(Apply, FilesOfTheCgroupReplaceTheContainersOwn) {
  ContainerEdits edits;
  edits.unified = {{"dmem.max", "drm/0000:03:00.0/vram0 1024\ndrm/0000:04:00.0/vram0 2048"}};
  EXPECT_EQ(applied(R"({"linux":{"resources":{"unified":{"dmem.max":"max","pids.max":"7"}}}})", edits),
            R"({"linux":{"resources":{"unified":{)"
            R"("dmem.max":"drm/0000:03:00.0/vram0 1024\ndrm/0000:04:00.0/vram0 2048","pids.max":"7"}}}})");
  EXPECT_TRUE(validate(edits));
  edits.unified = {{"../../dmem.max", "1"}};
  EXPECT_FALSE(validate(edits));
}

TEST(Apply, LinesOfTwoVendorsForOneCgroupFileStandBelowEachOther) {
  ContainerEdits edits;
  edits.unified = {{"dmem.max", "a 1"}};
  ContainerEdits more;
  more.unified = {{"dmem.max", "b 2"}};
  EXPECT_TRUE(merge(edits, more));
  EXPECT_EQ(edits.unified["dmem.max"], "a 1\nb 2");
  EXPECT_TRUE(merge(edits, {}));
  EXPECT_EQ(edits.unified["dmem.max"], "a 1\nb 2");
}

TEST(Apply, HooksWithOtherArgumentsAreOtherHooks) {
  ContainerEdits edits;
  edits.hooks = {{HookStage::poststop, "/h", {"h", "b"}, {"A=1"}, 0}};

  EXPECT_EQ(
      applied(
          R"({"hooks":{"poststop":[{"path":"/h","args":["h","a"]},{"path":"/h","args":["h","b"],"env":[]}]}})",
          edits),
      R"({"hooks":{"poststop":[{"path":"/h","args":["h","a"]},{"path":"/h","args":["h","b"],"env":["A=1"]}]}})");
}

std::string with_profile(const std::string& profile) { return R"({"linux":{"seccomp":)" + profile + "}}"; }

std::string filtered(const std::string& profile, std::vector<std::string> syscalls) {
  ContainerEdits edits;
  edits.syscalls = std::move(syscalls);
  return applied(with_profile(profile), edits);
}

TEST(ApplySyscalls, AddsOneRuleForWhatTheProfileDoesNotName) {
  EXPECT_EQ(
      filtered(
          R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]})",
          {"mbind", "read", "pidfd_getfd"}),
      with_profile(
          R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"},)"
          R"({"names":["mbind","pidfd_getfd"],"action":"SCMP_ACT_ALLOW"}]})"));
  EXPECT_EQ(
      filtered(R"({"defaultAction":"SCMP_ACT_KILL"})", {"mbind"}),
      with_profile(
          R"({"defaultAction":"SCMP_ACT_KILL","syscalls":[{"names":["mbind"],"action":"SCMP_ACT_ALLOW"}]})"));
}

TEST(ApplySyscalls, TakesACallOutOfTheRuleThatAnswersItWithAnError) {
  EXPECT_EQ(
      filtered(
          R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mbind","bpf"],"action":"SCMP_ACT_ERRNO"},)"
          R"({"names":["mbind"],"action":"SCMP_ACT_ERRNO","errnoRet":1}]})",
          {"mbind"}),
      with_profile(
          R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["bpf"],"action":"SCMP_ACT_ERRNO"}]})"));
}

TEST(ApplySyscalls, LeavesWhatTheProfileSaysMoreAbout) {
  for (const char* rule :
       {R"({"names":["mbind"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]})",
        R"({"names":["mbind"],"action":"SCMP_ACT_KILL_PROCESS"})",
        R"({"names":["mbind"],"action":"SCMP_ACT_NOTIFY"})",
        R"({"names":["mbind"],"action":"SCMP_ACT_ALLOW"},{"names":["mbind"],"action":"SCMP_ACT_TRAP"})"}) {
    const std::string profile =
        std::string(R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[)") + rule + "]}";
    EXPECT_EQ(filtered(profile, {"mbind"}), with_profile(profile));
  }
}

TEST(ApplySyscalls, TellsWhichCallsTheFilterKeepsOut) {
  const auto kept_out = [](const std::string& text) {
    const auto document = Document::parse(text);
    return kept_out_syscalls(*document, {"a", "b", "c"});
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(kept_out(with_profile(
                R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["a"],"action":"SCMP_ACT_ALLOW"},)"
                R"({"names":["b"],"action":"SCMP_ACT_KILL"}]})")),
            Names{"c"});
  EXPECT_EQ(
      kept_out(with_profile(
          R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["b"],"action":"SCMP_ACT_ERRNO"}]})")),
      Names{"b"});
  EXPECT_EQ(kept_out(with_profile(R"({"defaultAction":"SCMP_ACT_ERRNO"})")), (Names{"a", "b", "c"}));
  EXPECT_EQ(kept_out(R"({"linux":{}})"), Names{});
  EXPECT_EQ(kept_out(R"({"linux":{"seccomp":7}})"), Names{});
}

TEST(ApplySyscalls, TwiceIsOnceAndWithoutAFilterNothing) {
  const std::string profile = R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[]})";
  ContainerEdits edits;
  edits.syscalls = {"mbind"};
  const std::string once = applied(with_profile(profile), edits);
  EXPECT_EQ(applied(once, edits), once);
  EXPECT_EQ(applied(R"({"linux":{}})", edits), R"({"linux":{}})");
  EXPECT_EQ(applied(R"({"linux":{"seccomp":7}})", edits).substr(0, 6), "error:");
  edits.syscalls = {"MBIND "};
  EXPECT_FALSE(validate(edits));
}

}  // namespace
}  // namespace hami::oci
