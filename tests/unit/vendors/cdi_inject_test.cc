// Devices of other people's CDI specifications, friendly and hostile.
#include "vendors/cdi_inject.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/vendors/fake_node.h"

namespace hami::vendors {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class CdiInject : public testing::Test {
 protected:
  void SetUp() override {
    if (!node_.node("dev/card0", 10, 229, 0660) || !node_.node("dev/card1", 10, 237))
      GTEST_SKIP() << "device nodes cannot be made here (needs root with CAP_MKNOD)";
    node_.write("lib/driver.so", "x");
    host_.directories = {node_.path("etc/cdi"), node_.path("run/cdi")};
    host_.dev_root = node_.dir();
    host_.hook = "/usr/bin/hami-hook";
    std::filesystem::create_directories(node_.path("etc/cdi"));
    std::filesystem::create_directories(node_.path("run/cdi"));
    spec("etc/cdi/card.json", card("0.5.0", R"("deviceNodes": [{"path": "/dev/card0"}])"));
  }

  void spec(const std::string& file, const std::string& text, mode_t mode = 0644) const {
    node_.write(file, text, mode);
  }

  static std::string card(const std::string& version, const std::string& edits,
                          const std::string& common = R"("env": ["CARD=yes"])") {
    return R"({"cdiVersion": ")" + version + R"(", "kind": "example.com/card", "containerEdits": {)" +
           common + R"(}, "devices": [{"name": "0", "containerEdits": {)" + edits +
           R"(}}, {"name": "1", "containerEdits": {"deviceNodes": [{"path": "/dev/card1"}]}}]})";
  }

  [[nodiscard]] Result<oci::ContainerEdits> inject(const std::vector<std::string>& names = {
                                                       "example.com/card=0"}) const {
    return inject_cdi(names, host_);
  }
  // What is said about a device 0 with these edits.
  std::string refusal(const std::string& edits) const {
    spec("etc/cdi/card.json", card("0.8.0", edits));
    const auto given = inject();
    return given ? "given" : given.error().line();
  }

  FakeNode node_;
  CdiHost host_;
};

TEST_F(CdiInject, GivesNodesWithTheirNumbersAndTheCommonPartOnce) {
  const auto edits = inject({"example.com/card=1", "example.com/card=0", "example.com/card=1"});
  ASSERT_TRUE(edits) << edits.error().line();
  ASSERT_THAT(edits->devices, SizeIs(2));
  EXPECT_EQ(edits->devices[0].path, "/dev/card1");
  EXPECT_EQ(edits->devices[1].major, 10);
  EXPECT_EQ(edits->devices[1].minor, 229);
  EXPECT_EQ(edits->devices[1].access, "rwm");
  EXPECT_EQ(edits->devices[1].file_mode, 0660U);
  ASSERT_THAT(edits->env, SizeIs(1));
  EXPECT_EQ(edits->env[0], (oci::EnvEdit{"CARD", "yes", oci::EnvEdit::Op::set}));
}

TEST_F(CdiInject, ReadsYamlAndEveryFieldOfANode) {
  spec("run/cdi/card.yaml",
       "cdiVersion: 1.0.0\nkind: example.com/card\ndevices:\n- name: '0'\n  containerEdits:\n    "
       "deviceNodes:\n"
       "    - {path: /dev/other, hostPath: /dev/card1, type: c, major: 10, minor: 237, fileMode: 384,\n"
       "       permissions: r, uid: 5, gid: 6}\n    additionalGids: [44, 0]\n");
  const auto edits = inject();
  ASSERT_TRUE(edits) << edits.error().line();
  const oci::DeviceEdit expected{"/dev/other", oci::DeviceType::character, 10, 237, 0600, 5, 6, "r"};
  EXPECT_THAT(edits->devices, ElementsAre(expected)) << "the later directory counts";
  EXPECT_THAT(edits->additional_gids, ElementsAre(44));
}

TEST_F(CdiInject, NamesEveryDeviceThatNobodyDescribesAndFilesThatAreWrong) {
  spec("etc/cdi/broken.json", "{");
  const auto edits = inject({"example.com/card=0", "example.com/card=7", "other.com/x=y"});
  ASSERT_FALSE(edits);
  EXPECT_EQ(edits.error().code, Errc::not_found);
  EXPECT_THAT(edits.error().message, HasSubstr("'example.com/card=7', 'other.com/x=y'"));
  EXPECT_THAT(edits.error().message, HasSubstr("broken.json"));
  EXPECT_THAT(edits.error().message, Not(HasSubstr("card=0'")));
}

TEST_F(CdiInject, TwoFilesOfOneDirectoryWithOneNameAreAnError) {
  spec("etc/cdi/zz.json", card("0.5.0", R"("deviceNodes": [{"path": "/dev/card1"}])"));
  EXPECT_THAT(inject().error().message, HasSubstr("zz.json"));
  spec("run/cdi/card.json", card("0.5.0", R"("deviceNodes": [{"path": "/dev/card1"}])"));
  EXPECT_TRUE(inject()) << "unless a later directory decides";
}

TEST_F(CdiInject, FilesAndDirectoriesThatOthersCanChangeDoNotCount) {
  spec("etc/cdi/card.json", card("0.5.0", R"("deviceNodes": [{"path": "/dev/card0"}])"), 0666);
  EXPECT_THAT(inject().error().message, HasSubstr("card.json"));
  spec("etc/cdi/card.json", card("0.5.0", R"("deviceNodes": [{"path": "/dev/card0"}])"));
  ::chmod(node_.path("etc/cdi").c_str(), 0777);
  EXPECT_THAT(inject().error().message, HasSubstr("others than root can change it"));
  ::chmod(node_.path("etc/cdi").c_str(), 0755);
  std::filesystem::rename(node_.path("etc/cdi/card.json"), node_.path("card.json"));
  node_.link("etc/cdi/card.json", "../../card.json");
  EXPECT_FALSE(inject()) << "a link may lead anywhere";
}

TEST_F(CdiInject, HostileNodes) {
  EXPECT_THAT(refusal(R"("deviceNodes": [{"path": "/dev/mem"}])"), HasSubstr("must not be given"));
  EXPECT_THAT(refusal(R"("deviceNodes": [{"path": "/dev/card0", "hostPath": "/dev/kmem"}])"),
              HasSubstr("must not be given"));
  EXPECT_THAT(refusal(R"("deviceNodes": [{"path": "/etc/passwd", "hostPath": "/dev/card0"}])"),
              HasSubstr("must be below /dev"));
  EXPECT_THAT(refusal(R"("deviceNodes": [{"path": "/dev/../etc/x"}])"), HasSubstr("must not have"));
  EXPECT_THAT(refusal(R"("deviceNodes": [{"path": "/dev/card9"}])"), HasSubstr("is not on this node"));
  EXPECT_THAT(refusal(R"("deviceNodes": [{"path": "/dev/card0", "type": "b"}])"),
              HasSubstr("not the device node"));
  EXPECT_THAT(refusal(R"("deviceNodes": [{"path": "/dev/card0", "major": 8, "minor": 0}])"),
              HasSubstr("other numbers"));
  EXPECT_THAT(refusal(R"("deviceNodes": [{"path": "/dev/card0", "permissions": "rwx"}])"),
              HasSubstr("unknown permissions"));
  node_.link("dev/link", "card0");
  EXPECT_THAT(refusal(R"("deviceNodes": [{"path": "/dev/link"}])"), Not(HasSubstr("given")));
  node_.write("dev/file", "");
  EXPECT_THAT(refusal(R"("deviceNodes": [{"path": "/dev/file"}])"), HasSubstr("not the device node"));
}

TEST_F(CdiInject, HostileMountsVariablesHooksAndWhatOnlyAnEngineGives) {
  const auto mount = [&](const std::string& from, const std::string& to) {
    return refusal(R"("mounts": [{"hostPath": ")" + from + R"(", "containerPath": ")" + to + R"("}])");
  };
  EXPECT_THAT(mount("/", "/host"), HasSubstr("must not be given"));
  EXPECT_THAT(mount("/etc/shadow", "/x"), HasSubstr("must not be given"));
  EXPECT_THAT(mount("/var/run/docker.sock", "/x"), HasSubstr("must not be given"));
  EXPECT_THAT(mount(node_.path("lib"), "/proc"), HasSubstr("must not be covered"));
  EXPECT_THAT(mount("/nonexistent/x", "/x"), HasSubstr("is not on this node"));
  EXPECT_THAT(refusal(R"("mounts": [{"hostPath": ")" + node_.path("lib") +
                      R"(", "containerPath": "/x", "options": ["readonly"]}])"),
              HasSubstr("'readonly'"));
  EXPECT_THAT(refusal(R"("env": ["LD_PRELOAD=/x.so"])"), HasSubstr("belongs to the loader"));
  EXPECT_THAT(refusal(R"("env": ["nothing"])"), HasSubstr("is not NAME=VALUE"));
  EXPECT_THAT(refusal(R"("hooks": [{"hookName": "createContainer", "path": "/bin/sh", "args": ["sh"]}])"),
              HasSubstr("'/bin/sh' as a hook"));
  EXPECT_THAT(refusal(R"("hooks": [{"hookName": "prestart", "path": "/usr/bin/hami-hook", "args": ["x"]}])"),
              HasSubstr("as a hook"));
  EXPECT_THAT(refusal(R"("netDevices": [{"hostInterfaceName": "eth0"}])"), HasSubstr("netDevices"));
  EXPECT_THAT(refusal(R"("intelRdt": {"closID": "x"})"), HasSubstr("intelRdt"));
}

TEST_F(CdiInject, MountsGetWhatTheyLack) {
  spec("etc/cdi/card.json", card("0.5.0", R"("mounts": [{"hostPath": ")" + node_.path("lib") +
                                              R"(", "containerPath": "/opt/card", "options": ["ro"]}])"));
  const auto edits = inject();
  ASSERT_TRUE(edits) << edits.error().line();
  ASSERT_THAT(edits->mounts, SizeIs(1));
  EXPECT_THAT(edits->mounts[0].options, ElementsAre("ro", "rbind", "nosuid", "nodev"));
}

TEST_F(CdiInject, KnowsWhatAnEngineHasGivenAlready) {
  const auto edits = inject();
  ASSERT_TRUE(edits);
  oci::ContainerView container;
  EXPECT_FALSE(has_all(container, *edits));
  container.device_paths = {"/dev/card0"};
  EXPECT_TRUE(has_all(container, *edits));
}

TEST_F(CdiInject, ComparingNeedsNoHooks) {
  spec("etc/cdi/card.json",
       card("0.5.0", R"("deviceNodes": [{"path": "/dev/card0"}],)"
                     R"("hooks": [{"hookName": "createContainer", "path": "/bin/x", "args": ["x"]}])"));
  EXPECT_FALSE(inject());
  EXPECT_TRUE(inject_cdi({"example.com/card=0"}, host_, CdiUse::comparing));
}

TEST(CdiName, IsVendorClassAndDevice) {
  for (const char* good : {"a.com/b=c", "nvidia.com/gpu=GPU-1:2", "x/y=0"})
    EXPECT_TRUE(is_cdi_name(good)) << good;
  for (const char* bad :
       {"", "a/b", "a=b", "/b=c", "a/=c", "a/b=", "a/b=c=d", "a/../b=c", "a/b=c/d", "a/b=c d", "a/b=\n"})
    EXPECT_FALSE(is_cdi_name(bad)) << bad;
}

}  // namespace
}  // namespace hami::vendors
