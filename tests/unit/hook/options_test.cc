#include "hook/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hami::hook {
namespace {

using ::testing::HasSubstr;

std::string refusal(const std::vector<std::string>& arguments) {
  const auto options = parse_options(arguments);
  return options ? "accepted" : options.error().line();
}

TEST(Options, ReadsTheVerbs) {
  const Options create{Verb::create_container, "/run/hami/containers/k/plan.json", "", "", "", ""};
  const Options rooted{Verb::create_container, "/plan.json", "/rootfs", "", "", ""};
  const Options release{Verb::release, "", "", "web-1f", "/run/hami", ""};
  const Options precreate{Verb::precreate, "", "", "", "", ""};
  const Options refuse{Verb::refuse, "", "", "", "", "--no room"};
  const Options poststop{Verb::poststop, "", "", "", "/run/hami", ""};

  EXPECT_EQ(*parse_options({"create-container", "--plan", "/run/hami/containers/k/plan.json"}), create);
  EXPECT_EQ(*parse_options({"create-container", "--root", "/rootfs", "--plan", "/plan.json"}), rooted);
  EXPECT_EQ(*parse_options({"release", "--key", "web-1f", "--state-dir", "/run/hami"}), release);
  EXPECT_EQ(*parse_options({"release", "--state-dir", "/run/hami", "--key", "web-1f"}), release);
  EXPECT_EQ(*parse_options({"precreate"}), precreate);
  EXPECT_EQ(*parse_options({"refuse", "--reason", "--no room"}), refuse);
  EXPECT_EQ(*parse_options({"poststop", "--state-dir", "/run/hami"}), poststop);
}

TEST(Options, SaysWhatIsPossibleWhenTheVerbIsUnknown) {
  EXPECT_THAT(refusal({"stop"}), HasSubstr("unknown verb 'stop'"));
  EXPECT_THAT(refusal({}), HasSubstr("create-container|create-runtime|prestart --plan FILE"));
}

TEST(Options, RefusesMissingRepeatedAndForeignOptions) {
  EXPECT_THAT(refusal({"create-container"}), HasSubstr("--plan is missing"));
  EXPECT_THAT(refusal({"create-container", "--plan"}), HasSubstr("--plan needs a value"));
  EXPECT_THAT(refusal({"create-container", "--plan", ""}), HasSubstr("--plan needs a value"));
  EXPECT_THAT(refusal({"create-container", "--plan", "/a", "--plan", "/b"}), HasSubstr("given twice"));
  EXPECT_THAT(refusal({"create-container", "--key", "k"}), HasSubstr("unknown option '--key'"));
  EXPECT_THAT(refusal({"release", "--key", "k"}), HasSubstr("--state-dir is missing"));
}

TEST(Options, RefusesRelativePaths) {
  EXPECT_THAT(refusal({"create-container", "--plan", "plan.json"}), HasSubstr("absolute"));
  EXPECT_THAT(refusal({"create-container", "--plan", "/p", "--root", "rootfs"}), HasSubstr("absolute"));
  EXPECT_THAT(refusal({"release", "--key", "k", "--state-dir", "run"}), HasSubstr("absolute"));
}

}  // namespace
}  // namespace hami::hook
