#include "oci-config/paths.h"

#include <gtest/gtest.h>

namespace hami::oci {
namespace {

TEST(Paths, AreComparedInOneForm) {
  EXPECT_EQ(normal_path("/a//b/./c/"), "/a/b/c");
  EXPECT_EQ(normal_path("a/b"), "/a/b");
  EXPECT_EQ(normal_path("/a/x/../b"), "/a/b");
  EXPECT_EQ(normal_path("/../../a"), "/a");
  EXPECT_EQ(normal_path("/a/.."), "/");
  EXPECT_EQ(normal_path("/a/..."), "/a/...");
  EXPECT_EQ(normal_path(""), "/");
  EXPECT_EQ(normal_path("//"), "/");
}

TEST(Paths, BelowMeansWholeComponents) {
  EXPECT_TRUE(is_at_or_below("/a/b", "/a/b"));
  EXPECT_TRUE(is_at_or_below("/a/b/c", "/a/b"));
  EXPECT_TRUE(is_at_or_below("/a", "/"));
  EXPECT_FALSE(is_at_or_below("/a/bc", "/a/b"));
  EXPECT_FALSE(is_at_or_below("/a", "/a/b"));
}

}  // namespace
}  // namespace hami::oci
