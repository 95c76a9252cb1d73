// CDI specifications: what recipes become, and what is read strictly.
#include "vendors/cdi_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/vendors/fake_node.h"

namespace hami::vendors {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kSmall = R"({
  "cdiVersion": "0.5.0",
  "kind": "example.com/card",
  "devices": [{"name": "0", "containerEdits": {"deviceNodes": [{"path": "/dev/null"}]}}]
})";

std::string error_of(std::string text, const std::string& from, const std::string& to) {
  text.replace(text.find(from), from.size(), to);
  const auto spec = parse_cdi_spec(text, "a.json");
  return spec ? "no error" : spec.error().line();
}

TEST(CdiSpec, ReadsJson) {
  const auto spec = parse_cdi_spec(kSmall, "a.json");
  ASSERT_TRUE(spec) << spec.error().line();
  EXPECT_EQ(spec->kind, "example.com/card");
  ASSERT_EQ(spec->devices.size(), 1U);
  EXPECT_EQ(spec->devices[0].name, "0");
  EXPECT_EQ(spec->devices[0].edits.nodes[0].path, "/dev/null");
  EXPECT_THAT(cdi_problems(*spec), IsEmpty());
}

TEST(CdiSpec, RefusesWhatTheSpecificationDoesNotHave) {
  EXPECT_THAT(error_of(kSmall, "\"kind\"", "\"sort\""), HasSubstr("unknown key 'sort'"));
  EXPECT_THAT(error_of(kSmall, "0.5.0", "9.0.0"), HasSubstr("unknown value '9.0.0'"));
  EXPECT_THAT(error_of(kSmall, "example.com/card", "card"), HasSubstr("is not <vendor>/<class>"));
  EXPECT_THAT(error_of(kSmall, "example.com/card", "example.com/../card"),
              HasSubstr("'example.com/../card'"));
  EXPECT_THAT(error_of(kSmall, "/dev/null", "/dev/../etc/shadow"), HasSubstr("must not have '.' or '..'"));
  EXPECT_THAT(error_of(kSmall, R"({"deviceNodes": [{"path": "/dev/null"}]})", "{}"),
              HasSubstr("changes nothing"));
  EXPECT_THAT(error_of(kSmall, R"("name": "0")", R"("name": "a/b")"),
              HasSubstr("is not the name of a device"));
}

TEST(CdiSpec, NamesWhatIsMissingOnTheNode) {
  auto spec = parse_cdi_spec(kSmall, "a.json");
  ASSERT_TRUE(spec);
  spec->edits.mounts.push_back({"/x", "/nonexistent/x", "", {}});
  spec->devices[0].edits.nodes.push_back({"/dev/nonexistent", "", ""});
  EXPECT_THAT(cdi_problems(*spec), ElementsAre(HasSubstr("'/dev/nonexistent' is missing"),
                                               HasSubstr("'/nonexistent/x' is missing")));
}

TEST(CdiExport, SaysWhatARecipeGivesAndReadsBack) {
  FakeNode node;
  node.nvidia_kernel();
  node.nvidia_user();
  if (!node.nvidia_nodes()) GTEST_SKIP() << "device nodes cannot be made here (needs root with CAP_MKNOD)";
  const auto recipe = nvidia_recipe();
  const auto inventory = discover(recipe, node.roots());
  ASSERT_TRUE(inventory) << inventory.error().line();
  const auto exported =
      export_cdi(recipe, *inventory, {"/usr/bin/hami-hook", "/var/lib/hami/cdi/nvidia.json"});
  ASSERT_TRUE(exported) << exported.error().line();
  const auto spec = parse_cdi_spec(exported->json, "nvidia.json");
  ASSERT_TRUE(spec) << spec.error().line() << "\n" << exported->json;

  EXPECT_EQ(spec->kind, "nvidia.com/gpu");
  EXPECT_EQ(spec->version, "0.5.0");
  std::vector<std::string> names;
  for (const auto& device : spec->devices) names.push_back(device.name);
  EXPECT_THAT(names, ElementsAre("0", "GPU-aaaaaaaa-0000-0000-0000-000000000000", "1",
                                 "GPU-aaaaaaaa-0000-0000-0000-000000000001", "all"));
  ASSERT_EQ(spec->devices[2].edits.nodes.size(), 1U);
  EXPECT_EQ(spec->devices[2].edits.nodes[0].path, "/dev/nvidia1");
  EXPECT_EQ(spec->devices[4].edits.nodes.size(), 2U);
  EXPECT_EQ(spec->edits.nodes[0].path, "/dev/nvidiactl");
  EXPECT_THAT(spec->edits.env, testing::Contains("NVIDIA_VISIBLE_DEVICES=void"));
  ASSERT_EQ(spec->edits.hooks.size(), 1U);
  EXPECT_EQ(spec->edits.hooks[0].path, "/usr/bin/hami-hook");
  EXPECT_FALSE(exported->plan.empty());
}

class CdiFormats : public testing::Test {
 protected:
  void SetUp() override {
    node_.nvidia_kernel();
    node_.nvidia_user();
    if (!node_.nvidia_nodes()) GTEST_SKIP() << "device nodes cannot be made here (needs root with CAP_MKNOD)";
  }
  Result<CdiExport> exported(const CdiFormat& format) {
    HAMI_TRY(const auto inventory, discover(recipe_, node_.roots()));
    return export_cdi(recipe_, inventory, {"/usr/bin/hami-hook", "/var/lib/hami/cdi/nvidia.json"}, format);
  }
  // The nodes of the cards are for a group.
  void close_nodes() {
    const std::string card = node_.dir() + "/dev/nvidia0";
    ASSERT_EQ(::chown(card.c_str(), 0, 44), 0);
    ASSERT_EQ(::chmod(card.c_str(), 0660), 0);
  }
  FakeNode node_;
  Recipe recipe_ = nvidia_recipe();
};

TEST_F(CdiFormats, AKindOfNoVendorHasTheSameDevices) {
  const auto own = exported({});
  const auto neutral = exported({"", "hami.io/gpu"});
  ASSERT_TRUE(own && neutral);
  const auto a = parse_cdi_spec(own->json, "a.json");
  const auto b = parse_cdi_spec(neutral->json, "b.json");
  ASSERT_TRUE(a && b);
  EXPECT_EQ(b->kind, "hami.io/gpu");
  EXPECT_EQ(a->devices, b->devices);
  EXPECT_EQ(a->edits, b->edits);
}

TEST_F(CdiFormats, GroupIdsRaiseTheVersionAndAreLeftOutOfALowerOne) {
  close_nodes();
  const auto lowest = exported({});
  ASSERT_TRUE(lowest) << lowest.error().line();
  EXPECT_EQ(lowest->version, "0.7.0");
  EXPECT_THAT(lowest->left_out_gids, IsEmpty());
  EXPECT_THAT(lowest->json, HasSubstr("additionalGids"));
  const auto old = exported({"0.5.0", ""});
  ASSERT_TRUE(old) << old.error().line();
  EXPECT_EQ(old->version, "0.5.0");
  EXPECT_THAT(old->left_out_gids, ElementsAre(44U));
  EXPECT_THAT(old->json, testing::Not(HasSubstr("additionalGids")));
  EXPECT_TRUE(parse_cdi_spec(old->json, "old.json"));
}

TEST_F(CdiFormats, RefusesVersionsThatCannotNameTheDevices) {
  const auto refusal = [&](const CdiFormat& format) {
    const auto spec = exported(format);
    return spec ? "no error" : spec.error().line();
  };
  EXPECT_THAT(refusal({"0.4.0", ""}),
              HasSubstr("'0.4.0' cannot name these devices; use one from 0.5.0 to 1.1.0"));
  EXPECT_THAT(refusal({"0.5.0", "hami.io/gpu.big"}), HasSubstr("use one from 0.6.0"));
  EXPECT_THAT(refusal({"7", ""}), HasSubstr("'7' is unknown"));
}

}  // namespace
}  // namespace hami::vendors
