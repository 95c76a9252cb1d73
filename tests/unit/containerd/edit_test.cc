#include "containerd/edit.h"

#include <string>

#include <gtest/gtest.h>

#include "containerd/json_text.h"

namespace hami::containerd {
namespace {

std::string docker_error(const std::string& text) {
  const auto got = add_to_docker(text, {});
  return got ? "accepted: " + *got : got.error().line();
}

std::string containerd_error(const std::string& text) {
  const auto got = add_to_containerd(text, {});
  return got ? "accepted: " + *got : got.error().line();
}

TEST(EditDocker, RefusesWhatDockerCannotRead) {
  EXPECT_EQ(docker_error("{\"a\": 1,}").substr(0, 17), "line 1, column 9:");
  EXPECT_EQ(docker_error("// comment\n{}").substr(0, 6), "line 1");
  EXPECT_NE(docker_error("{\"runtimes\": []}").find("member 'runtimes' is not an object"), std::string::npos);
  EXPECT_NE(docker_error("{\"runtimes\": {\"hami\": 1}}").find("'runtimes.hami'"), std::string::npos);
  EXPECT_NE(docker_error("[1]").find("an object was expected"), std::string::npos);
}

TEST(EditContainerd, RefusesWhatItCannotEditSafely) {
  EXPECT_NE(containerd_error("version = 2\n[a\n").find("line 2"), std::string::npos);
  EXPECT_NE(containerd_error("version = 9\n").find("version 9"), std::string::npos);
  EXPECT_NE(
      containerd_error("version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.hami]\n")
          .find("not ours is in the file already"),
      std::string::npos);
  EXPECT_NE(containerd_error("version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\n"
                             "  containerd = { runtimes = { runc = { runtime_type = \"x\" } } }\n")
                .find("line 3: the runtimes are an inline table"),
            std::string::npos);
}

TEST(EditContainerd, PutsTheReplacedDefaultBackByteForByte) {
  EngineOptions options;
  options.set_default = true;
  const std::string before =
      "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\n  default_runtime_name = \"kata\"\n";

  const auto added = add_to_containerd(before, options);
  ASSERT_TRUE(added);
  ASSERT_NE(added->find("default_runtime_name = \"hami\""), std::string::npos);

  EXPECT_EQ(remove_from_containerd(*added, options).value_or("error"), before);
}

TEST(JsonText, SetsAndRemovesMembersInTheLayoutOfTheFile) {
  EXPECT_EQ(set_member("{\"a\":1}", 0, "b", "2"), "{\"a\":1, \"b\": 2}");
  EXPECT_EQ(set_member("{\n\t\"a\":1\n}", 0, "b", "2"), "{\n\t\"a\":1,\n\t\"b\": 2\n}");
  EXPECT_EQ(set_member("{\"a\":[1,{\"a\":3}]}", 0, "a", "2"), "{\"a\":2}");
  EXPECT_EQ(remove_member("{\"a\":1, \"b\": 2}", 0, "b"), "{\"a\":1}");
  EXPECT_EQ(remove_member("{\"a\":1, \"b\": 2}", 0, "a"), "{\"b\": 2}");
  EXPECT_EQ(remove_member("{ \"a\":\"}\\\"\" }", 0, "a"), "{}");
}

TEST(DropIns, NameTheRuntime) {
  EngineOptions options;
  options.runtime_name = "slices";
  EXPECT_NE(crio_drop_in(options).find("[crio.runtime.runtimes.slices]"), std::string::npos);
  EXPECT_NE(podman_drop_in(options).find("slices = [\"/usr/bin/hami-runtime\"]"), std::string::npos);
}

}  // namespace
}  // namespace hami::containerd
