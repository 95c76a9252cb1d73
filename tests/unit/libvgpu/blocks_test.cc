#include "libvgpu/core/blocks.h"

#include <gtest/gtest.h>

#include <memory>

namespace hami::vgpu {
namespace {

constexpr std::uint64_t kAt = 0x7f00'0000'0000;

class BlocksTest : public ::testing::Test {
 protected:
  ~BlocksTest() override { blocks_->forget(); }
  std::unique_ptr<Blocks> blocks_ = std::make_unique<Blocks>();
};

TEST_F(BlocksTest, FirstPieceBringsTheBlockAndTheLastTakesItAlong) {
  EXPECT_EQ(blocks_->enter(kAt, 512), 1);
  EXPECT_EQ(blocks_->enter(kAt + 512, 512), 0);
  EXPECT_EQ(blocks_->leave(kAt, 512), 0);
  EXPECT_EQ(blocks_->leave(kAt + 512, 512), 1);
}

TEST_F(BlocksTest, PieceAcrossABorderIsInBothBlocks) {
  EXPECT_EQ(blocks_->enter(kAt + kBlockBytes - 512, 1024), 2);
  EXPECT_EQ(blocks_->enter(kAt, 512), 0);
  EXPECT_EQ(blocks_->leave(kAt + kBlockBytes - 512, 1024), 1);
  EXPECT_EQ(blocks_->leave(kAt, 512), 1);
}

TEST_F(BlocksTest, PieceThatEndsAtTheBorderIsInOneBlock) {
  EXPECT_EQ(blocks_->enter(kAt + kBlockBytes - 512, 512), 1);
}

TEST_F(BlocksTest, BlocksOfManyShardsAreKeptApart) {
  for (std::uint64_t i = 0; i < 1000; ++i) EXPECT_EQ(blocks_->enter(kAt + i * kBlockBytes, 512), 1);
  for (std::uint64_t i = 0; i < 1000; ++i) EXPECT_EQ(blocks_->leave(kAt + i * kBlockBytes, 512), 1);
}

TEST_F(BlocksTest, StrangerTakesNothingAlong) { EXPECT_EQ(blocks_->leave(kAt, 512), 0); }

}  // namespace
}  // namespace hami::vgpu
