#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "oci-config/view.h"

namespace hami::oci {
namespace {

const std::vector<std::string_view> kNeedles{"HAMI_RESOURCES", "nvidia.com/gpu"};

TEST(MayContain, FindsEveryNeedle) {
  EXPECT_TRUE(may_contain(R"({"a":"HAMI_RESOURCES=x"})", kNeedles));
  EXPECT_TRUE(may_contain(R"({"nvidia.com/gpu":"1"})", kNeedles));
  EXPECT_FALSE(may_contain(R"({"a":"PATH=/bin","b":"hami_resources"})", kNeedles));
  EXPECT_FALSE(may_contain("", kNeedles));
  EXPECT_FALSE(may_contain("{}", {}));
}

TEST(MayContain, IsTrueForEscapesThatCouldSpellANeedle) {
  EXPECT_TRUE(may_contain(R"({"a":"\u0048AMI_RESOURCES=x"})", kNeedles));
  EXPECT_TRUE(may_contain(R"({"nvidia.com\/gpu":"1"})", kNeedles));
  EXPECT_TRUE(may_contain(R"({"nvidia\u002Ecom/gpu":"1"})", kNeedles));
  EXPECT_TRUE(may_contain(R"({"nvidia.com\u002fgpu":"1"})", kNeedles));
  EXPECT_TRUE(may_contain(R"("\u00)", kNeedles)) << "what is cut off could be anything";
  EXPECT_TRUE(may_contain(R"("\u00zz")", kNeedles)) << "what cannot be read could be anything";
}

TEST(MayContain, IsFalseForTheEscapesThatEnginesWrite) {
  EXPECT_FALSE(may_contain(R"({"a":"x \u0026\u0026 y \u003c z \u2028 \"q\" \\ \n"})", kNeedles));
  EXPECT_FALSE(may_contain(R"({"a":"\/"})", {"HAMI_RESOURCES"}));
  EXPECT_FALSE(may_contain("\\", kNeedles));
}

TEST(MayContain, KnowsThatSomeCharactersAreAlwaysEscaped) {
  EXPECT_TRUE(may_contain(R"({"a":"x\"y"})", {"x\"y"}));
  EXPECT_TRUE(may_contain(R"({"a":"x\ny"})", {"x\ny"}));
  EXPECT_TRUE(may_contain(R"({"a":"x\u00e9y"})", {"x\xc3\xa9y"}));
}

}  // namespace
}  // namespace hami::oci
