#include "runtime-shim/container/reader_group.h"

#include <unistd.h>

#include <string>

#include <gtest/gtest.h>

namespace hami::shim {
namespace {

oci::ContainerView view_in_user_namespace() {
  oci::ContainerView view;
  view.has_user_namespace = true;
  return view;
}

TEST(ReaderGroup, IsNobodyWithoutAUserNamespace) {
  oci::ContainerView view;
  view.gid_mappings = {{0, 100000, 65536}};  // without a namespace the mapping means nothing

  const auto got = reader_group(view);

  ASSERT_TRUE(got);
  EXPECT_FALSE(got->has_value());
}

TEST(ReaderGroup, IsTheHostsGroupOfTheContainersRoot) {
  oci::ContainerView view = view_in_user_namespace();
  view.uid_mappings = {{0, 200000, 65536}};
  view.gid_mappings = {{1, 300000, 10}, {0, 100000, 1}};

  EXPECT_EQ(reader_group(view).value_or(std::nullopt), gid_t{100000});
}

TEST(ReaderGroup, RefusesAMappingWithoutARoot) {
  oci::ContainerView view = view_in_user_namespace();
  view.gid_mappings = {{1000, 101000, 1}, {0, 100000, 0}};

  const auto got = reader_group(view);

  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().message, "linux.gidMappings has no group 0");
}

TEST(ReaderGroup, AsksAJoinedNamespaceForItsMapping) {
  oci::ContainerView view = view_in_user_namespace();
  view.user_namespace_path = "/proc/" + std::to_string(::getpid()) + "/ns/user";

  EXPECT_EQ(reader_group(view).value_or(std::nullopt), gid_t{0});  // our own, which maps everybody to himself
}

TEST(ReaderGroup, RefusesAJoinedNamespaceThatCannotBeAsked) {
  for (const char* path :
       {"/run/userns/pod", "/proc/self/ns/user", "/proc/1/../2/ns/user", "/proc//ns/user", ""}) {
    oci::ContainerView view = view_in_user_namespace();
    view.user_namespace_path = path;

    EXPECT_FALSE(reader_group(view)) << path;
  }
}

}  // namespace
}  // namespace hami::shim
