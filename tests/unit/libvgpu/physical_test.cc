// How long physical memory lives: until its last handle and its last mapping are gone.
#include "libvgpu/core/physical.h"

#include <gtest/gtest.h>

#include <memory>

namespace hami::vgpu {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
constexpr std::uint64_t kHandle = 7;
constexpr std::uint64_t kAddress = 0x7f0000000000;

class Physical : public ::testing::Test {
 protected:
  ~Physical() override { memory_.forget(); }

  std::uint64_t release(std::uint64_t handle) {
    PhysicalMemory::Pending pending;
    memory_.begin_release(handle, pending);
    return memory_.end_release(pending).bytes;
  }
  std::uint64_t unmap(std::uint64_t address, std::uint64_t size) {
    PhysicalMemory::Pending pending;
    EXPECT_TRUE(memory_.begin_unmap(address, size, pending));
    std::uint64_t freed = 0;
    memory_.end_unmap(pending, [&](const PhysicalMemory::Freed& piece) { freed += piece.bytes; });
    return freed;
  }

  PhysicalMemory memory_;
};

TEST_F(Physical, WhatIsKeptIsNotToldWhenItEnds) {
  for (const bool by_address : {false, true}) {
    ASSERT_TRUE(memory_.create(kHandle, 3, 8 * kMiB));
    ASSERT_TRUE(memory_.map(kAddress, 8 * kMiB, kHandle));
    if (by_address) {
      memory_.keep_at(kAddress + 5 * kMiB);
    } else {
      memory_.keep(kHandle);
    }
    EXPECT_EQ(release(kHandle), 0U);
    EXPECT_EQ(unmap(kAddress, 8 * kMiB), 0U) << by_address;
  }
}

TEST_F(Physical, WhatWasNotKeptAfterAllIsTold) {
  ASSERT_TRUE(memory_.create(kHandle, 3, 8 * kMiB));
  ASSERT_TRUE(memory_.map(kAddress, 8 * kMiB, kHandle));
  memory_.keep(kHandle);
  memory_.keep_at(kAddress);
  memory_.undo_keep(kHandle);
  memory_.undo_keep_at(kAddress + kMiB);
  memory_.undo_keep(kHandle);
  memory_.keep(kHandle + 1);
  memory_.keep_at(kAddress + 8 * kMiB);
  memory_.keep_at(kAddress - 1);
  EXPECT_EQ(release(kHandle), 0U);
  EXPECT_EQ(unmap(kAddress, 8 * kMiB), 8 * kMiB);
}

TEST_F(Physical, AHandleRetainedInTheMiddleOfAMappingKeepsThePiece) {
  ASSERT_TRUE(memory_.create(kHandle, 3, 8 * kMiB));
  ASSERT_TRUE(memory_.map(kAddress, 8 * kMiB, kHandle));
  EXPECT_EQ(release(kHandle), 0U);
  memory_.retain(kHandle + 1, kAddress + 3 * kMiB);
  EXPECT_EQ(unmap(kAddress, 8 * kMiB), 0U);
  EXPECT_EQ(release(kHandle + 1), 8 * kMiB);
}

TEST_F(Physical, EndsWithItsHandleWhenItWasNeverMapped) {
  ASSERT_TRUE(memory_.create(kHandle, 3, 2 * kMiB));

  EXPECT_EQ(release(kHandle), 2 * kMiB);
  EXPECT_EQ(release(kHandle), 0U) << "the name is gone with it";
}

TEST_F(Physical, OutlivesItsHandleWhileMapped) {
  ASSERT_TRUE(memory_.create(kHandle, 0, 4 * kMiB));
  ASSERT_TRUE(memory_.map(kAddress, 2 * kMiB, kHandle));
  ASSERT_TRUE(memory_.map(kAddress + 16 * kMiB, 2 * kMiB, kHandle));

  EXPECT_EQ(release(kHandle), 0U);
  EXPECT_EQ(unmap(kAddress, 2 * kMiB), 0U);
  EXPECT_EQ(unmap(kAddress + 16 * kMiB, 2 * kMiB), 4 * kMiB);
}

TEST_F(Physical, OneUnmapEndsSeveralMappings) {
  for (std::uint64_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(memory_.create(i + 1, 0, 2 * kMiB));
    ASSERT_TRUE(memory_.map(kAddress + i * 2 * kMiB, 2 * kMiB, i + 1));
    ASSERT_EQ(release(i + 1), 0U);
  }

  EXPECT_EQ(unmap(kAddress, 200 * kMiB), 200 * kMiB);
}

TEST_F(Physical, RetainedHandleIsAReferenceToTheMappedPiece) {
  ASSERT_TRUE(memory_.create(kHandle, 0, 2 * kMiB));
  ASSERT_TRUE(memory_.map(kAddress, 2 * kMiB, kHandle));
  ASSERT_EQ(release(kHandle), 0U);

  memory_.retain(99, kAddress);

  EXPECT_EQ(unmap(kAddress, 2 * kMiB), 0U);
  EXPECT_EQ(release(99), 2 * kMiB);
}

TEST_F(Physical, RefusedReleaseAndUnmapChangeNothing) {
  ASSERT_TRUE(memory_.create(kHandle, 0, 2 * kMiB));
  ASSERT_TRUE(memory_.map(kAddress, 2 * kMiB, kHandle));
  {
    PhysicalMemory::Pending pending;
    memory_.begin_release(kHandle, pending);
    memory_.restore_release(pending);
  }
  {
    PhysicalMemory::Pending pending;
    ASSERT_TRUE(memory_.begin_unmap(kAddress, 4 * kMiB, pending));
    memory_.restore_unmap(pending);
  }

  EXPECT_EQ(release(kHandle), 0U);
  EXPECT_EQ(unmap(kAddress, 2 * kMiB), 2 * kMiB);
}

TEST_F(Physical, NameThatTheDriverReusesWhileAReleaseEndsIsTheNewPiece) {
  ASSERT_TRUE(memory_.create(kHandle, 0, 2 * kMiB));
  PhysicalMemory::Pending pending;
  memory_.begin_release(kHandle, pending);

  ASSERT_TRUE(memory_.create(kHandle, 0, 8 * kMiB));  // another thread, before the first one is back

  EXPECT_EQ(memory_.end_release(pending).bytes, 2 * kMiB);
  EXPECT_EQ(release(kHandle), 8 * kMiB);
}

TEST_F(Physical, ForeignHandlesAndAddressesAreNoneOfItsBusiness) {
  EXPECT_TRUE(memory_.map(kAddress, 2 * kMiB, 12345));
  EXPECT_EQ(release(12345), 0U);
  EXPECT_EQ(unmap(kAddress, 64 * kMiB), 0U);
}

// Multicast objects; the pieces are on device 3.
class Bound : public Physical {
 protected:
  static constexpr std::uint64_t kObject = 9;

  Bound() {
    EXPECT_TRUE(memory_.create(kObject, 0, 0));
    EXPECT_TRUE(memory_.create(kHandle, 3, 8 * kMiB));
  }
  void bind(std::uint64_t offset, std::uint64_t handle, std::uint64_t address = 0) {
    const std::uint64_t number = memory_.begin_bind(kObject, offset, 8 * kMiB, handle, address);
    EXPECT_NE(number, 0U);
    memory_.keep_bound(number);
  }
  std::uint64_t unbind(unsigned device, std::uint64_t offset, std::uint64_t size) {
    return end(memory_.begin_unbind(kObject, device, offset, size));
  }
  std::uint64_t end(std::uint64_t number) {
    std::uint64_t freed = 0;
    memory_.end_unbind(number, [&](const PhysicalMemory::Freed& piece) { freed += piece.bytes; });
    return freed;
  }
  std::uint64_t orphans() {
    std::uint64_t freed = 0;
    memory_.end_orphans([&](const PhysicalMemory::Freed& piece) { freed += piece.bytes; });
    return freed;
  }
};

TEST_F(Bound, PieceOutlivesItsHandleUntilItIsUnbound) {
  bind(16 * kMiB, kHandle);
  EXPECT_EQ(release(kHandle), 0U);
  EXPECT_EQ(unbind(2, 16 * kMiB, 8 * kMiB), 0U) << "another device's part";
  EXPECT_EQ(unbind(3, 18 * kMiB, 8 * kMiB), 0U) << "only a part of it";
  EXPECT_EQ(unbind(3, 0, 8 * kMiB), 0U) << "another place";
  EXPECT_EQ(unbind(3, 0, 64 * kMiB), 8 * kMiB);
  EXPECT_EQ(unbind(3, 0, 64 * kMiB), 0U) << "once";
}

TEST_F(Bound, PieceIsFoundByItsMappingAndEndsWithItsLastBinding) {
  ASSERT_TRUE(memory_.map(kAddress, 8 * kMiB, kHandle));
  bind(0, 0, kAddress + kMiB);
  bind(8 * kMiB, kHandle);
  EXPECT_EQ(unmap(kAddress, 8 * kMiB), 0U);
  EXPECT_EQ(release(kHandle), 0U);
  EXPECT_EQ(unbind(3, 0, 8 * kMiB), 0U);
  EXPECT_EQ(unbind(3, 8 * kMiB, 8 * kMiB), 8 * kMiB);
}

TEST_F(Bound, RefusedBindingAndUnbindingChangeNothing) {
  EXPECT_EQ(end(memory_.begin_bind(kObject, 0, 8 * kMiB, kHandle, 0)), 0U) << "its handle is there";
  bind(0, kHandle);
  memory_.keep_bound(memory_.begin_unbind(kObject, 3, 0, 8 * kMiB));
  EXPECT_EQ(release(kHandle), 0U);
  EXPECT_EQ(unbind(3, 0, 8 * kMiB), 8 * kMiB);
}

TEST_F(Bound, PieceEndsWithItsObject) {
  bind(0, kHandle);
  EXPECT_EQ(release(kHandle), 0U);
  EXPECT_EQ(orphans(), 0U);
  EXPECT_EQ(release(kObject), 0U);
  EXPECT_EQ(orphans(), 8 * kMiB);
  EXPECT_EQ(orphans(), 0U);
}

TEST_F(Bound, PieceOfAnObjectThatOthersKnowStaysCharged) {
  bind(0, kHandle);
  memory_.keep(kObject);
  EXPECT_EQ(release(kHandle), 0U);
  EXPECT_EQ(release(kObject), 0U);
  EXPECT_EQ(orphans(), 0U);
}

TEST_F(Bound, PieceIsKeptWhereTheObjectIsUnknown) {
  EXPECT_EQ(memory_.begin_bind(kObject + 1, 0, 8 * kMiB, kHandle, 0), 0U);
  EXPECT_EQ(release(kHandle), 0U);
}

TEST_F(Bound, ManyBindingsAreKept) {
  for (std::uint64_t i = 0; i < 300; ++i) bind(i * 8 * kMiB, kHandle);
  EXPECT_EQ(release(kHandle), 0U);
  EXPECT_EQ(unbind(3, 0, 299 * 8 * kMiB), 0U);
  EXPECT_EQ(unbind(3, 0, 300 * 8 * kMiB), 8 * kMiB);
}

TEST(WordMap, KeepsItsNamesThroughGrowthAndErasure) {
  WordMap map;
  for (std::uint64_t name = 0; name < 5000; ++name) ASSERT_TRUE(map.put(name << 21U, name));
  for (std::uint64_t name = 0; name < 5000; name += 2) map.erase(name << 21U);

  EXPECT_EQ(map.size(), 2500U);
  for (std::uint64_t name = 0; name < 5000; ++name) {
    const std::uint64_t* word = map.find(name << 21U);
    if (name % 2 == 0) {
      EXPECT_EQ(word, nullptr) << name;
    } else {
      ASSERT_NE(word, nullptr) << name;
      EXPECT_EQ(*word, name);
    }
  }
  map.clear();
}

}  // namespace
}  // namespace hami::vgpu
