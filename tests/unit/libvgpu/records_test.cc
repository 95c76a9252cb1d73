#include "libvgpu/core/records.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <thread>
#include <unordered_map>
#include <vector>

namespace hami::vgpu {
namespace {

class RecordsTest : public testing::Test {
 protected:
  void put(Space space, std::uint64_t name, std::uint64_t bytes, unsigned device = 0, unsigned owner = 0) {
    ASSERT_TRUE(records_->insert(space, name, Record{bytes, device, owner}).stored);
  }
  // What an object of linear memory takes from the card when it comes, and what goes with it.
  std::uint64_t enter(std::uint64_t address, std::uint64_t bytes) {
    const Records::Inserted added = records_->insert(Space::pointer, address, Record{bytes});
    EXPECT_TRUE(added.stored);
    return added.charge;
  }
  std::uint64_t leave(std::uint64_t address) {
    const std::optional<Record> record = records_->take(Space::pointer, address);
    return record ? record->charge : 0;
  }
  std::unique_ptr<Records> records_ = std::make_unique<Records>();
};

TEST_F(RecordsTest, ReturnsWhatWasStored) {
  put(Space::pointer, 0x7f0000000000, 3 * 512, 15, 77);
  const auto record = records_->take(Space::pointer, 0x7f0000000000);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->bytes, 3 * 512U);
  EXPECT_EQ(record->device, 15U);
  EXPECT_EQ(record->owner, 77U);
  EXPECT_FALSE(records_->take(Space::pointer, 0x7f0000000000)) << "taken once";
}

TEST_F(RecordsTest, KeepsTheLargestSize) {
  const std::uint64_t bytes = (std::uint64_t{1} << 46U) - 512;
  put(Space::pointer, 1, bytes);
  EXPECT_EQ(records_->take(Space::pointer, 1)->bytes, bytes);
}

TEST_F(RecordsTest, EqualNumbersOfDifferentKindsAreDifferentObjects) {
  put(Space::pointer, 42, 512);
  put(Space::array, 42, 1024);
  EXPECT_EQ(records_->take(Space::array, 42)->bytes, 1024U);
  EXPECT_EQ(records_->take(Space::pointer, 42)->bytes, 512U);
}

TEST_F(RecordsTest, AReusedNameReplacesAndTells) {
  put(Space::pointer, 42, 512);
  const auto stale = records_->insert(Space::pointer, 42, Record{1024}).stale;
  ASSERT_TRUE(stale);
  EXPECT_EQ(stale->bytes, 512U);
  EXPECT_EQ(records_->take(Space::pointer, 42)->bytes, 1024U);
}

constexpr std::uint64_t kAt = 0x7f00'0000'0000;

TEST_F(RecordsTest, FirstPieceBringsTheBlockAndTheLastTakesItAlong) {
  EXPECT_EQ(enter(kAt, 512), kBlockBytes);
  EXPECT_EQ(enter(kAt + 512, 512), 0U);
  EXPECT_EQ(leave(kAt), 0U);
  EXPECT_EQ(leave(kAt + 512), kBlockBytes);
}

TEST_F(RecordsTest, PieceAcrossABorderIsInBothBlocks) {
  EXPECT_EQ(enter(kAt + kBlockBytes - 512, 1024), 2 * kBlockBytes);
  EXPECT_EQ(enter(kAt, 512), 0U);
  EXPECT_EQ(leave(kAt + kBlockBytes - 512), kBlockBytes);
  EXPECT_EQ(leave(kAt), kBlockBytes);
}

TEST_F(RecordsTest, PieceThatEndsAtTheBorderIsInOneBlock) {
  EXPECT_EQ(enter(kAt + kBlockBytes - 512, 512), kBlockBytes);
}

TEST_F(RecordsTest, WholeBlocksAreCountedByTheirSize) {
  EXPECT_EQ(enter(kAt, kSmallBelow), kSmallBelow);
  EXPECT_EQ(enter(kAt + kSmallBelow, 512), kBlockBytes) << "nothing small is in that block yet";
  EXPECT_EQ(leave(kAt), kSmallBelow);
}

TEST_F(RecordsTest, AReusedNameOfAPieceLeavesItsBlock) {
  EXPECT_EQ(enter(kAt + kBlockBytes - 512, 1024), 2 * kBlockBytes);
  const Records::Inserted added = records_->insert(Space::pointer, kAt + kBlockBytes - 512, Record{512});
  ASSERT_TRUE(added.stale);
  EXPECT_EQ(added.stale->charge + 0, 2 * kBlockBytes);
  EXPECT_EQ(added.charge, kBlockBytes);
  EXPECT_EQ(leave(kAt + kBlockBytes - 512), kBlockBytes);
}

TEST_F(RecordsTest, BlocksAgreeWithAModelOverManyOperations) {
  std::unordered_map<std::uint64_t, std::uint64_t> pieces;  // address to bytes
  std::unordered_map<std::uint64_t, unsigned> blocks;
  std::uint64_t charged = 0;
  std::mt19937_64 random(11);
  const auto visit = [&](std::uint64_t address, std::uint64_t bytes, int change) {
    for (std::uint64_t b = address / kBlockBytes; b <= (address + bytes - 1) / kBlockBytes; ++b) {
      if ((blocks[b] += static_cast<unsigned>(change)) == 0) blocks.erase(b);
    }
  };
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t address = kAt + random() % 8'000 * 1024;  // in sixteen blocks
    const auto known = pieces.find(address);
    if (known == pieces.end()) {
      const std::uint64_t bytes = (random() % 4 + 1) * 512;  // may lie across a border
      charged += enter(address, bytes);
      pieces[address] = bytes;
      visit(address, bytes, 1);
    } else {
      charged -= leave(address);
      visit(address, known->second, -1);
      pieces.erase(known);
    }
    ASSERT_EQ(charged, blocks.size() * kBlockBytes);
  }
}

TEST_F(RecordsTest, AnOwnersPiecesTakeTheirBlocksAlong) {
  std::uint64_t charged = 0;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    charged +=
        records_->insert(Space::pointer, kAt + i * 1536, Record{1536, 0, 1 + static_cast<unsigned>(i % 2)})
            .charge;
  }
  EXPECT_EQ(charged, (20'000 * 1536 + kBlockBytes - 1) / kBlockBytes * kBlockBytes);
  static std::uint64_t freed;
  freed = 0;
  const auto visit = [](Space, std::uint64_t, const Record& record) { freed += record.charge; };
  records_->take_owned(1, visit);
  EXPECT_LE(freed, kBlockBytes) << "the other owner's pieces are in almost all";
  records_->take_owned(2, visit);
  EXPECT_EQ(freed, charged);
}

TEST_F(RecordsTest, AgreesWithAMapOverManyOperations) {
  std::unordered_map<std::uint64_t, std::uint64_t> model;
  std::mt19937_64 random(7);
  for (int i = 0; i < 300'000; ++i) {
    const std::uint64_t name = 0x7f0000000000 + random() % 20'000 * 512;
    if (random() % 2 == 0) {
      const std::uint64_t bytes = (random() % 1000 + 1) * 512;
      put(Space::pointer, name, bytes);
      model[name] = bytes;
    } else {
      const auto record = records_->take(Space::pointer, name);
      const auto known = model.find(name);
      ASSERT_EQ(record.has_value(), known != model.end());
      if (record) {
        ASSERT_EQ(record->bytes, known->second);
        model.erase(known);
      }
    }
  }
  for (const auto& [name, bytes] : model) EXPECT_EQ(records_->take(Space::pointer, name)->bytes, bytes);
}

TEST_F(RecordsTest, AnOwnersObjectsGoTogether) {
  for (std::uint64_t i = 1; i <= 5000; ++i)
    put(Space::pointer, i * 4096, 512, 0, static_cast<unsigned>(i % 3));
  put(Space::context, 4096, 1024, 0, 1);
  put(Space::module, 4096, 1024, 0, 1);
  put(Space::external_memory, 4096, 1024, 0, 1);
  static std::uint64_t bytes;
  static std::uint64_t names;
  bytes = names = 0;
  records_->take_owned(1, [](Space space, std::uint64_t name, const Record& record) {
    bytes += record.bytes;
    if (space == Space::pointer) names += name;
  });
  EXPECT_EQ(bytes, 512U * 1667 + 2048);
  EXPECT_EQ(names, std::uint64_t{4096} * (1667 * 1666 / 2 * 3 + 1667));
  EXPECT_TRUE(records_->take(Space::external_memory, 4096)) << "ends with no context";
  EXPECT_FALSE(records_->take(Space::pointer, 4096));
  EXPECT_TRUE(records_->take(Space::pointer, 2 * 4096));
}

TEST_F(RecordsTest, ThreadsDoNotDisturbEachOther) {
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 20; ++round) {
        for (std::uint64_t i = 1; i <= 500; ++i) {
          records_->insert(Space::pointer, (t << 40U) + i * 512, Record{i * 512});
        }
        for (std::uint64_t i = 1; i <= 500; ++i) {
          const auto record = records_->take(Space::pointer, (t << 40U) + i * 512);
          ASSERT_TRUE(record);
          ASSERT_EQ(record->bytes, i * 512);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(RecordsTest, ForgettingEmptiesTheTable) {
  for (std::uint64_t i = 1; i <= 100'000; ++i) put(Space::pointer, i * 512, 512);
  records_->forget();
  EXPECT_FALSE(records_->take(Space::pointer, 512));
  put(Space::pointer, 512, 1024);
  EXPECT_EQ(records_->take(Space::pointer, 512)->bytes, 1024U);
}

}  // namespace
}  // namespace hami::vgpu
