#include "hamictl/pod.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace hami::hamictl {
namespace {

class PodFile : public testing::Test {
 protected:
  PodFile() {
    std::string name = testing::TempDir() + "hamictl-pod-XXXXXX";
    const int fd = mkstemp(name.data());
    if (fd >= 0) close(fd);
    path_ = name;
  }
  ~PodFile() override { unlink(path_.c_str()); }

  const std::string& with(const std::string& text) {
    std::ofstream(path_) << text;
    return path_;
  }

 private:
  std::string path_;
};

constexpr const char* kPod = R"({"kind": "Pod", "metadata": {"name": "train", "annotations": {
  "hami.io/vgpu-devices-allocated": "GPU-a,NVIDIA,3000,30:;,,0,0:;GPU-b,NVIDIA,2147483647,100:",
  "note": "kept"}}})";

TEST_F(PodFile, ShowsEveryDeviceWithItsGroup) {
  const auto shown = show_pod(with(kPod), true);
  ASSERT_TRUE(shown.has_value()) << shown.error().line();
  EXPECT_EQ(*shown,
            R"({"vendor":"nvidia","group":0,"device":"GPU-a","type":"NVIDIA","memory":3145728000,"cores":30,)"
            "\"key\":\"hami.io/vgpu-devices-allocated\"}\n"
            R"({"vendor":"nvidia","group":2,"device":"GPU-b","type":"NVIDIA","memory":null,"cores":100,)"
            "\"key\":\"hami.io/vgpu-devices-allocated\"}\n");
  const auto table = show_pod(with(kPod), false);
  ASSERT_TRUE(table.has_value());
  EXPECT_NE(table->find("nvidia     2     GPU-b"), std::string::npos) << *table;
}

TEST_F(PodFile, RewritesTheAnnotationsAlone) {
  const auto text = rewrite_pod(with(kPod));
  ASSERT_TRUE(text.has_value()) << text.error().line();
  EXPECT_EQ(
      *text,
      "{\n  \"hami.io/vgpu-devices-allocated\": \"GPU-a,NVIDIA,3000,30:;;GPU-b,NVIDIA,2147483647,100:;\",\n"
      "  \"note\": \"kept\"\n}\n");
  EXPECT_EQ(rewrite_pod(with(*text)).value_or(""), *text);
}

TEST_F(PodFile, APodWithoutAnnotationsHasNoDevices) {
  for (const char* pod : {R"({"metadata": {"name": "x"}})", R"({"metadata": {"annotations": null}})", "{}"}) {
    const auto shown = show_pod(with(pod), true);
    ASSERT_TRUE(shown.has_value()) << shown.error().line();
    EXPECT_EQ(*shown, "") << pod;
  }
}

TEST_F(PodFile, SaysWhatIsWrong) {
  const auto message = [&](const std::string& text) {
    const auto shown = show_pod(with(text), false);
    return shown ? std::string("no error") : shown.error().line();
  };
  EXPECT_NE(message(R"({"note": 1})").find("the value of 'note' is no text"), std::string::npos);
  EXPECT_NE(message("[1]").find("not an object"), std::string::npos);
  EXPECT_NE(message("{").find("not JSON: line "), std::string::npos);
  EXPECT_NE(message(R"({"metadata": {"annotations": ["a"]}})").find("metadata.annotations"),
            std::string::npos);
  EXPECT_NE(
      message(R"({"hami.io/vgpu-devices-allocated": "GPU-a,NVIDIA,0,1:"})").find("no share of a device"),
      std::string::npos);
  EXPECT_FALSE(show_pod("/nonexistent/pod.json", false).has_value());
}

}  // namespace
}  // namespace hami::hamictl
