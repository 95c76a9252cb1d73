#include "runtime-shim/container/board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "libvgpu/abi/board.h"
#include "oci-config/base/text.h"
#include "runtime-shim/state/boards.h"

namespace hami::state {
namespace {

namespace fs = std::filesystem;
using ::testing::SizeIs;

class BoardsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::path(::testing::TempDir()) / text::cat({"hami-boards-test-", std::to_string(::getpid())});
    fs::remove_all(dir_);
  }
  void TearDown() override { fs::remove_all(dir_); }

  static abi::SliceFile slice(const std::string& key, const std::vector<std::string>& uuids) {
    abi::SliceFile slice = {};
    slice.priority = 2;
    key.copy(slice.container_key, sizeof slice.container_key - 1);
    for (const std::string& uuid : uuids) {
      abi::SliceDevice& device = slice.devices[slice.device_count++];
      uuid.copy(device.uuid, sizeof device.uuid - 1);
      device.core_limit = 30;
    }
    return slice;
  }
  void make(const std::string& key, const std::vector<std::string>& uuids) {
    const fs::path container = dir_ / "containers" / key;
    fs::create_directories(container);
    const auto made = shim::write_board(dir_, container, slice(key, uuids));
    ASSERT_TRUE(made) << made.error().line();
  }
  std::vector<std::string> on(const std::string& uuid) const {
    std::vector<std::string> names;
    if (!fs::exists(dir_ / "cards" / uuid)) return names;
    for (const auto& entry : fs::directory_iterator(dir_ / "cards" / uuid)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  fs::path dir_;
};

TEST_F(BoardsTest, AContainerStandsInTheDirectoryOfEachOfItsCards) {
  make("a", {"GPU-1", "GPU-2"});
  make("b", {"GPU-2"});

  EXPECT_THAT(on("GPU-1"), SizeIs(1));
  EXPECT_THAT(on("GPU-2"), SizeIs(2));
  abi::BoardName name;
  ASSERT_TRUE(abi::parse_board_name(on("GPU-1").front().c_str(), name));
  EXPECT_EQ(name.priority, 2);
  EXPECT_EQ(name.percent, 30U);
  EXPECT_EQ(name.device, 0U);
  const fs::path board = dir_ / "containers/a/board";
  EXPECT_TRUE(fs::equivalent(board, dir_ / "cards/GPU-1" / on("GPU-1").front()));
  EXPECT_EQ(fs::file_size(board), sizeof(abi::Board));
  EXPECT_EQ(static_cast<unsigned>(fs::status(board).permissions()), 0666U);
  EXPECT_EQ(static_cast<unsigned>(fs::status(dir_ / "cards/GPU-1").permissions()), 0755U);
}

TEST_F(BoardsTest, GoesWithTheContainersDirectory) {
  make("a", {"GPU-1"});
  make("b", {"GPU-1"});
  fs::remove_all(dir_ / "containers/a");

  ASSERT_TRUE(drop_boards(dir_));

  EXPECT_THAT(on("GPU-1"), SizeIs(1));
  EXPECT_TRUE(fs::exists(dir_ / "containers/b/board"));
}

TEST_F(BoardsTest, NothingToDropIsNoError) { EXPECT_TRUE(drop_boards(dir_)); }

TEST_F(BoardsTest, AUuidThatIsNoNameOfADirectoryGetsNone) {
  EXPECT_EQ(card_dir("/s", ".."), "");
  EXPECT_EQ(card_dir("/s", "../x"), "");
  EXPECT_EQ(card_dir("/s", "a/b"), "");
  EXPECT_EQ(card_dir("/s", ""), "");
  EXPECT_EQ(card_dir("/s", "GPU-1"), "/s/cards/GPU-1");
  make("a", {"../outside"});
  EXPECT_FALSE(fs::exists(dir_ / "outside"));
}

}  // namespace
}  // namespace hami::state
