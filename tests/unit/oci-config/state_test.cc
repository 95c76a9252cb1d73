#include "oci-config/state.h"

#include <string>

#include <gtest/gtest.h>

namespace hami::oci {
namespace {

std::string error_of(const std::string& text) {
  const auto state = parse_state(text);
  return state ? "accepted" : state.error().message;
}

TEST(State, ReadsWhatRuncTellsItsHooks) {
  const auto got = parse_state(
      R"({"ociVersion":"1.0.2-dev","id":"c1","status":"creating","pid":12,"bundle":"/b","annotations":{"k":"v"}})");

  ASSERT_TRUE(got) << got.error().line();
  EXPECT_EQ(got->oci_version, "1.0.2-dev");
  EXPECT_EQ(got->id, "c1");
  EXPECT_EQ(got->status, "creating");
  EXPECT_EQ(got->pid, 12);
  EXPECT_EQ(got->bundle, "/b");
  EXPECT_EQ(got->root, "");
  EXPECT_EQ(got->annotations.at("k"), "v");
}

TEST(State, ReadsTheRootThatCrunAdds) {
  const auto got = parse_state(
      R"({"ociVersion":"1.0","id":"c1","pid":0,"root":"/b/rootfs","bundle":"/b","status":"created"})");

  ASSERT_TRUE(got) << got.error().line();
  EXPECT_EQ(got->root, "/b/rootfs");
  EXPECT_EQ(got->pid, 0);
}

TEST(State, NeedsNoPid) { EXPECT_EQ(parse_state(R"({"id":"c1","status":"stopped","bundle":"/b"})")->pid, 0); }

TEST(State, RefusesWhatItCannotUse) {
  EXPECT_EQ(error_of(""), "read the container state: line 1, column 1: an object was expected at the top");
  EXPECT_EQ(error_of("{}"), "read the container state: id is missing");
  EXPECT_EQ(error_of(R"({"id":"","bundle":"/b"})"), "read the container state: id is missing");
  EXPECT_EQ(error_of(R"({"id":"c1"})"), "read the container state: bundle is missing");
  EXPECT_EQ(error_of(R"({"id":7,"bundle":"/b"})"), "read the container state: id is not a string");
  EXPECT_EQ(error_of(R"({"id":"c1","bundle":"/b","pid":"1"})"),
            "read the container state: pid is not an integer");
  EXPECT_EQ(error_of(R"({"id":"c1","bundle":"/b","pid":4294967295})"),
            "read the container state: pid is not a process number");
  EXPECT_EQ(error_of(R"({"id":"c1","bundle":"/b","pid":-1})"),
            "read the container state: pid is not between 0 and 4294967295");
  EXPECT_EQ(error_of(R"({"id":"c1","bundle":"/b","annotations":{"k":1}})"),
            "read the container state: annotations.'k' is not a string");
  EXPECT_EQ(error_of(R"({"id":"c1","id":"c2","bundle":"/b"})"),
            "read the container state: line 1, column 12: duplicate member 'id'");
  EXPECT_EQ(error_of(std::string(kMaxStateBytes + 1, ' ')), "read the container state: larger than 1 MiB");
}

}  // namespace
}  // namespace hami::oci
