#include "libvgpu/core/boards.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/libvgpu/page_fixture.h"

namespace hami::vgpu {
namespace {

using share::Neighbours;

TEST(BoardName, ComesBackAsItWasWritten) {
  char text[abi::kBoardNameSize];
  abi::format_board_name({INT32_MAX, 100, 15, 0xfedcba9876543210ULL}, text);
  EXPECT_STREQ(text, "2147483647-100-15-fedcba9876543210");
  abi::BoardName name;
  ASSERT_TRUE(abi::parse_board_name(text, name));
  EXPECT_EQ(name.priority, INT32_MAX);
  EXPECT_EQ(name.percent, 100U);
  EXPECT_EQ(name.device, 15U);
  EXPECT_EQ(name.id, 0xfedcba9876543210ULL);
}

TEST(BoardName, AnythingElseIsNoBoard) {
  for (const char* text :
       {"", ".", "..", "1", "1-30-0", "1-30-0-", "1-30-0-0123", "1-101-0-0123456789abcdef",
        "1-30-16-0123456789abcdef", "-1-30-0-0123456789abcdef", "1-30-0-0123456789ABCDEF",
        "1-30-0-0123456789abcdef0", "99999999999-30-0-0123456789abcdef", "1-30-0-0123456789abcde/"}) {
    abi::BoardName name;
    EXPECT_FALSE(abi::parse_board_name(text, name)) << text;
  }
}

class BoardsTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kNow = 5000 * share::kSecond;

  // A board in the card's directory, whose first device was busy at kNow.
  std::string add(std::int32_t priority, std::uint64_t id) {
    char name[abi::kBoardNameSize];
    abi::format_board_name({priority, 30, 0, id}, name);
    const std::string path = dir_.file(name);
    auto board = std::make_unique<abi::Board>();
    board->magic = abi::kBoardMagic;
    board->devices[0].busy_until = kNow;
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(board.get()), sizeof *board);
    return path;
  }
  Neighbours look(std::uint64_t now) {
    boards_.look(dir_.file("").c_str(), now, own_, others_);
    return others_.who(kNow, 1);
  }
  static std::uint64_t inode(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    return info.st_ino;
  }

  TempDir dir_;
  std::uint64_t own_ = 0;
  CardBoards boards_;
  share::Neighbourhood others_;
};

TEST_F(BoardsTest, SeesWhoWorksAndHowImportantItIs) {
  EXPECT_EQ(look(kNow), Neighbours::none);
  add(1, 1);
  EXPECT_EQ(look(kNow + share::kSecond), Neighbours::some);
  add(0, 2);
  EXPECT_EQ(look(kNow + 2 * share::kSecond), Neighbours::important);
}

TEST_F(BoardsTest, ItsOwnBoardIsNoNeighbour) {
  own_ = inode(add(0, 77));
  EXPECT_EQ(look(kNow), Neighbours::none);
  EXPECT_EQ(boards_.own_id(), 77U);
}

TEST_F(BoardsTest, ABoardThatGoesIsForgotten) {
  const std::string path = add(1, 1);
  EXPECT_EQ(look(kNow), Neighbours::some);
  std::filesystem::remove(path);
  EXPECT_EQ(look(kNow + share::kSecond), Neighbours::none);
}

TEST_F(BoardsTest, ABoardThatItsWriterCutOffTellsNothing) {
  const std::string path = add(0, 1);
  ASSERT_EQ(::truncate(path.c_str(), 16), 0);
  EXPECT_EQ(look(kNow), Neighbours::none);
}

TEST_F(BoardsTest, OtherFilesLinksAndPipesAreNotRead) {
  std::ofstream(dir_.file("readme")) << "x";
  std::filesystem::create_symlink("/dev/zero", dir_.file("0-30-0-0000000000000001"));
  ASSERT_EQ(::mkfifo(dir_.file("0-30-0-0000000000000002").c_str(), 0600), 0);
  EXPECT_EQ(look(kNow), Neighbours::none);
}

TEST_F(BoardsTest, NothingIsKnownWithoutADirectory) {
  boards_.look("/nonexistent/hami/cards/0", kNow, 0, others_);
  EXPECT_EQ(others_.who(kNow, 1), Neighbours::unknown);
}

TEST_F(BoardsTest, OnlyABoardOfFullSizeIsOpened) {
  std::uint64_t found = 0;
  const std::string path = add(1, 1);
  abi::Board* board = open_board(path.c_str(), found);
  ASSERT_NE(board, nullptr);
  EXPECT_EQ(found, inode(path));
  ::munmap(board, sizeof *board);
  ASSERT_EQ(::truncate(path.c_str(), sizeof(abi::Board) - 1), 0);
  EXPECT_EQ(open_board(path.c_str(), found), nullptr);
  EXPECT_EQ(open_board("/nonexistent/hami/board", found), nullptr);
}

}  // namespace
}  // namespace hami::vgpu
