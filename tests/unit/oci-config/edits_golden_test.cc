// Every folder of tests/golden/edits: a config.json, and what a share of a GPU makes of it.
#include <json-c/json.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "oci-config/apply.h"
#include "tests/golden/fixtures.h"

namespace hami::oci {
namespace {

namespace fs = std::filesystem;

ContainerEdits share_of_a_gpu() {
  const std::string host = "/run/hami/containers/key";
  ContainerEdits edits;
  edits.devices = {
      {"/dev/nvidia0", DeviceType::character, 195, 0, 0666, {}, {}, "rw"},
      {"/dev/nvidiactl", DeviceType::character, 195, 255, 0666, 0, 44, "rw"},
  };
  edits.mounts = {
      {"/usr/local/vgpu/slice", host + "/slice", "bind", {"bind", "ro", "nosuid", "nodev", "noexec"}},
      {"/etc/ld.so.preload", host + "/ld.so.preload", "bind", {"bind", "ro", "nosuid", "nodev", "noexec"}},
      {"/usr/local/vgpu", "/usr/lib/hami", "bind", {"bind", "ro", "nosuid", "nodev"}},
  };
  edits.env = {
      {"HAMI_SLICE", "/usr/local/vgpu/slice", EnvEdit::Op::set},
      {"NVIDIA_VISIBLE_DEVICES", "", EnvEdit::Op::unset},
      {"LD_LIBRARY_PATH", "/usr/local/nvidia/lib64", EnvEdit::Op::set_default},
  };
  edits.hooks = {
      {HookStage::create_container,
       "/usr/bin/hami-hook",
       {"hami-hook", "create-container", "--plan", host + "/plan.json"},
       {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
       30},
      {HookStage::poststop,
       "/usr/bin/hami-hook",
       {"hami-hook", "release", "--key", "key"},
       {"PATH=/usr/bin"},
       0},
  };
  edits.additional_gids = {44};
  edits.annotations = {{"hami.io/key", "key"}};
  edits.masked_paths = {"/proc/driver/nvidia/gpus"};
  edits.readonly_paths = {"/proc/driver/nvidia"};
  edits.drop_hooks = {"nvidia-container-runtime-hook", "nvidia-cdi-hook"};
  return edits;
}

class EditsGolden : public testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] static fs::path file(const char* name) {
    return fs::path(HAMI_GOLDEN_DIR) / GetParam() / name;
  }

  // HAMI_UPDATE_GOLDEN=1 writes the expected files anew; look at the difference before it is committed.
  static void write_expected(const Document& document) {
    if (std::getenv("HAMI_UPDATE_GOLDEN") == nullptr) return;
    constexpr int kStyle = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE;
    std::ofstream(file("expected.json")) << json_object_to_json_string_ext(document.root(), kStyle) << '\n';
  }
};

// The expected file may be laid out for people: only blanks outside strings are not compared.
TEST_P(EditsGolden, GiveExactlyTheExpectedDocument) {
  auto document = Document::parse(golden::slurp(file("config.json")));
  ASSERT_TRUE(document) << document.error().line();

  const auto got = apply(*std::move(document), share_of_a_gpu());

  ASSERT_TRUE(got) << got.error().line();
  write_expected(*got);
  const auto expected = Document::parse(golden::slurp(file("expected.json")));
  ASSERT_TRUE(expected) << expected.error().line();
  EXPECT_EQ(got->serialize(), expected->serialize());
}

TEST_P(EditsGolden, ChangeNothingTheSecondTime) {
  auto once = Document::parse(golden::slurp(file("expected.json")));
  ASSERT_TRUE(once) << once.error().line();
  const std::string before = once->serialize();

  const auto twice = apply(*std::move(once), share_of_a_gpu());

  ASSERT_TRUE(twice) << twice.error().line();
  EXPECT_EQ(twice->serialize(), before);
}

TEST_P(EditsGolden, OfNothingLeaveTheDocumentAlone) {
  auto document = Document::parse(golden::slurp(file("config.json")));
  ASSERT_TRUE(document) << document.error().line();
  const std::string before = document->serialize();

  const auto got = apply(*std::move(document), {});

  ASSERT_TRUE(got) << got.error().line();
  EXPECT_EQ(got->serialize(), before);
}

INSTANTIATE_TEST_SUITE_P(Files, EditsGolden, testing::ValuesIn(golden::cases(HAMI_GOLDEN_DIR)),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace hami::oci
