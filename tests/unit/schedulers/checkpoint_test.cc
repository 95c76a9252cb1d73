// The kubelet's checkpoint and the answers of device plugins in it.
#include "runtime-shim/schedulers/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hami::schedulers {
namespace {

using ::testing::HasSubstr;

AllocateAnswer answer() {
  AllocateAnswer out;
  out.env = {{"NVIDIA_VISIBLE_DEVICES", "GPU-a"}, {"EMPTY", ""}};
  out.mounts = {{"/usr/local/vgpu", "/usr/local/vgpu/containers/1_c", false}, {"/etc/x", "/x", true}};
  out.nodes = {{"/dev/nvidia0", "/dev/nvidia0", "rw"}};
  out.annotations = {{"k", std::string(300, 'v')}};
  out.cdi_devices = {"nvidia.com/gpu=0"};
  return out;
}

TEST(AllocateAnswer, ReadsWhatItWrites) {
  EXPECT_EQ(decode_answer(encode_answer(answer())).value(), answer());
  EXPECT_EQ(decode_answer("").value(), AllocateAnswer{});
}

TEST(AllocateAnswer, SkipsFieldsItDoesNotKnow) {
  const std::string more = encode_answer(answer()) + "\x30\x05" + "\x3a\x01x" + "\x41" + std::string(8, '\1');
  EXPECT_EQ(decode_answer(more).value(), answer());
}

TEST(AllocateAnswer, SaysAtWhichByteItIsDamaged) {
  const std::string good = encode_answer(answer());
  for (std::size_t size = 1; size < good.size(); ++size) {
    const auto got = decode_answer(good.substr(0, size));
    if (!got) {
      EXPECT_THAT(got.error().message, HasSubstr("at byte"));
    }
  }
  EXPECT_THAT(decode_answer("\x08\x01").error().message, HasSubstr("field 1 of a wrong type"));
  EXPECT_THAT(decode_answer(std::string("\x0a\x03\x0a\x05x", 5)).error().message, HasSubstr("byte 4"));
  EXPECT_FALSE(decode_answer("\x0b"));                                      // a group
  EXPECT_FALSE(decode_answer("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));  // no end of a number
}

TEST(Base64, IsRfc4648sWithPadding) {
  const std::pair<const char*, const char*> rows[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
  for (const auto& [bytes, text] : rows) {
    EXPECT_EQ(encode_base64(bytes), text);
    EXPECT_EQ(decode_base64(text).value(), bytes);
  }
  for (const char* bad : {"Z", "Zg=", "Zg", "====", "Z===", "Zm9*", "=g==", "Zm=v"})
    EXPECT_FALSE(decode_base64(bad)) << bad;
}

TEST(Checkpoint, GivesTheEntriesOfOneContainer) {
  const CheckpointEntry mine{"uid", "train", "nvidia.com/gpu", {"GPU-a-0"}, answer()};
  const CheckpointEntry other{"uid", "side", "nvidia.com/gpu", {"GPU-b-0"}, {}};
  const std::string json = encode_checkpoint({other, mine});

  EXPECT_EQ(read_checkpoint(json, "uid", "train").value(), std::vector<CheckpointEntry>{mine});
  EXPECT_TRUE(read_checkpoint(json, "uid", "none")->empty());
  EXPECT_TRUE(read_checkpoint(R"({"Data":{"PodDeviceEntries":null}})", "uid", "train")->empty());
}

TEST(Checkpoint, ReadsTheIdsOfOldAndNewKubelets) {
  const auto ids = [](const std::string& form) {
    const auto got = read_checkpoint(R"({"Data":{"PodDeviceEntries":[{"PodUID":"p","ContainerName":"c",)"
                                     R"("ResourceName":"r","DeviceIDs":)" +
                                         form + "}]}}",
                                     "p", "c");
    return got ? got->front().devices : std::vector<std::string>{got.error().message};
  };
  EXPECT_EQ(ids(R"(["a","b"])"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(ids(R"({"-1":["a"],"1":["b"]})"), (std::vector<std::string>{"a", "b"}));
  EXPECT_THAT(ids("7").front(), HasSubstr("entry 0 has DeviceIDs of an unknown form"));
}

TEST(Checkpoint, RefusesAnotherShape) {
  for (const char* json :
       {"", "[]", "{}", R"({"Data":[]})", R"({"Data":{"PodDeviceEntries":{}}})",
        R"({"Data":{"PodDeviceEntries":[{"PodUID":"p"}]}})",
        R"({"Data":{"PodDeviceEntries":[{"PodUID":"p","ContainerName":"c","ResourceName":"r","DeviceIDs":[],)"
        R"("AllocResp":"*"}]}})"}) {
    EXPECT_FALSE(read_checkpoint(json, "p", "c")) << json;
  }
}

}  // namespace
}  // namespace hami::schedulers
