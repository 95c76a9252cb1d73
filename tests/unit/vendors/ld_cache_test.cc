#include "vendors/ld_cache.h"

#include <gtest/gtest.h>

#include "tests/unit/vendors/fake_node.h"

namespace hami::vendors {
namespace {

std::string u32(std::uint32_t value) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xffU);
  return bytes;
}

// The old part with one entry; offsets count from the end of the table.
std::string old_cache() {
  const std::string texts{"libold.so.1\0/lib/libold.so.1\0", 29};
  return std::string("ld.so-1.7.0\0", 12) + u32(1) + u32(3) + u32(0) + u32(12) + texts;
}

const std::vector<std::pair<std::string, std::string>> kTwo{{"liba.so.1", "/lib/liba.so.1"},
                                                            {"libb.so.2", "/lib/libb.so.2"}};

TEST(LdCache, ReadsTheNewFormat) {
  const auto libraries = parse_ld_cache(ld_cache(kTwo));

  ASSERT_TRUE(libraries);
  EXPECT_EQ(*libraries, (std::vector<CachedLibrary>{{"liba.so.1", "/lib/liba.so.1", Abi::x86_64},
                                                    {"libb.so.2", "/lib/libb.so.2", Abi::x86_64}}));
}

TEST(LdCache, ReadsTheOldFormatAlone) {
  const auto libraries = parse_ld_cache(old_cache());

  ASSERT_TRUE(libraries);
  EXPECT_EQ(*libraries, (std::vector<CachedLibrary>{{"libold.so.1", "/lib/libold.so.1", Abi::i386}}));
}

TEST(LdCache, ReadsTheNewPartBehindTheOldOne) {
  std::string bytes = std::string("ld.so-1.7.0\0", 12) + u32(1) + u32(3) + u32(0) + u32(0);
  bytes.resize((bytes.size() + 7) / 8 * 8);
  const auto libraries = parse_ld_cache(bytes + ld_cache(kTwo));

  ASSERT_TRUE(libraries);
  EXPECT_EQ(libraries->size(), 2U);
  EXPECT_EQ(libraries->front().path, "/lib/liba.so.1");
}

TEST(LdCache, TellsArchitecturesApart) {
  const auto abi = [](std::uint32_t flags) { return parse_ld_cache(ld_cache(kTwo, flags)).value()[0].abi; };

  EXPECT_EQ(abi(0x0303), Abi::x86_64);
  EXPECT_EQ(abi(0x0003), Abi::i386);
  EXPECT_EQ(abi(0x0a03), Abi::aarch64);
  EXPECT_EQ(abi(0x0803), Abi::other);  // x32
  EXPECT_EQ(abi(0x0302), Abi::other);  // not ELF of libc6
}

TEST(LdCache, RefusesEveryCutOfAGoodFile) {
  const std::string good = ld_cache(kTwo);
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(parse_ld_cache(std::string_view(good).substr(0, size))) << size;
  }
}

TEST(LdCache, RefusesOffsetsOutsideOfTheFile) {
  for (const std::uint32_t offset : {0xffffffffU, 0x7fffffffU, 0x00010000U}) {
    std::string bytes = ld_cache(kTwo);
    bytes.replace(48 + 4, 4, u32(offset));
    EXPECT_FALSE(parse_ld_cache(bytes)) << offset;
  }
}

TEST(LdCache, RefusesACountTheFileCannotHold) {
  std::string bytes = ld_cache(kTwo);
  bytes.replace(20, 4, u32(0xffffffffU));
  EXPECT_FALSE(parse_ld_cache(bytes));

  std::string old = old_cache();
  old.replace(12, 4, u32(0xffffffffU));
  EXPECT_FALSE(parse_ld_cache(old));
}

TEST(LdCache, RefusesOtherFilesAndTheOtherByteOrder) {
  EXPECT_FALSE(parse_ld_cache("ELF"));
  std::string bytes = ld_cache(kTwo);
  bytes[28] = '\3';
  const auto result = parse_ld_cache(bytes);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::io);
}

}  // namespace
}  // namespace hami::vendors
