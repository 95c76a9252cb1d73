#include "libvgpu/cuda/image_size.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <string>
#include <vector>

namespace hami::vgpu {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30U;

// A cubin with code, and variables of `bytes`.
std::string cubin(std::uint64_t bytes) {
  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_machine = 190;
  header.e_shoff = sizeof header;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = 4;
  Elf64_Shdr sections[4] = {};
  const auto set = [&](unsigned index, unsigned type, std::uint64_t flags, std::uint64_t size) {
    sections[index].sh_type = type;
    sections[index].sh_flags = flags;
    sections[index].sh_size = size;
  };
  set(1, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 4096);
  set(2, SHT_NOBITS, SHF_ALLOC | SHF_WRITE, bytes - 64);
  set(3, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 64);
  std::string image(sizeof header + sizeof sections, '\0');
  std::memcpy(image.data(), &header, sizeof header);
  std::memcpy(image.data() + sizeof header, sections, sizeof sections);
  return image;
}

struct Entry {
  unsigned kind;  // 1: PTX, 2: a cubin
  unsigned capability;
  std::string image;
  std::uint64_t flags = 0;
};
constexpr std::uint64_t kLz4 = 0x2011;
constexpr std::uint64_t kZstandard = 0x8011;

std::string fat(const std::vector<Entry>& list) {
  std::string entries;
  for (const Entry& one : list) {
    std::uint64_t entry[8] = {std::uint64_t{64} << 32U | one.kind, one.image.size()};
    entry[3] = std::uint64_t{one.capability} << 32U;
    entry[5] = one.flags;
    entries.append(reinterpret_cast<const char*>(entry), sizeof entry);
    entries += one.image;
  }
  const std::uint64_t header[2] = {std::uint64_t{16} << 48U | std::uint64_t{1} << 32U | 0xba55ed50,
                                   entries.size()};
  return std::string(reinterpret_cast<const char*>(header), sizeof header) + entries;
}

std::uint64_t bytes_of_globals(const void* image, unsigned capability = 80) {
  return image_size(image, capability).globals;
}

TEST(ImageSize, OfACubinIsThatOfItsVariables) {
  EXPECT_EQ(bytes_of_globals(cubin(2 * kGiB).data()), 2 * kGiB);
}

TEST(ImageSize, OfAnotherProcessorsObjectIsUnknown) {
  std::string image = cubin(2 * kGiB);
  image[18] = 62;
  EXPECT_EQ(bytes_of_globals(image.data()), 0U);
}

TEST(ImageSize, OfCodeIsWhatLiesInTheFile) { EXPECT_EQ(image_size(cubin(kGiB).data(), 80).code, 4096U); }

TEST(ImageSize, OfAFatBinaryIsThatOfTheCubinForTheCard) {
  const std::string image = fat({{2, 75, cubin(kGiB)}, {2, 80, cubin(2 * kGiB)}, {2, 86, cubin(3 * kGiB)}});
  EXPECT_EQ(bytes_of_globals(image.data(), 75), kGiB);
  EXPECT_EQ(bytes_of_globals(image.data(), 80), 2 * kGiB);
  EXPECT_EQ(bytes_of_globals(image.data(), 89), 3 * kGiB);
  EXPECT_EQ(bytes_of_globals(image.data(), 90), kGiB) << "none is for it: the least";
  struct {
    std::uint32_t magic = 0x466243b1;
    std::uint32_t version = 1;
    const void* data;
  } wrapper;
  wrapper.data = image.data();
  EXPECT_EQ(bytes_of_globals(&wrapper), 2 * kGiB);
}

// As nvcc makes them: a cubin as it is, and PTX that is compressed.
TEST(ImageSize, OfAFatBinaryIsToldByWhatIsNotCompressed) {
  const std::string packed(100, 'x');
  EXPECT_EQ(bytes_of_globals(fat({{2, 80, cubin(kGiB)}, {1, 80, packed, kZstandard}}).data()), kGiB);
  EXPECT_EQ(bytes_of_globals(fat({{1, 80, packed, kLz4}, {2, 80, cubin(kGiB)}}).data()), kGiB);
  EXPECT_EQ(bytes_of_globals(fat({{2, 80, packed, kLz4}, {2, 90, cubin(kGiB)}}).data()), kGiB);
  EXPECT_EQ(bytes_of_globals(fat({{2, 80, packed, kZstandard}}).data()), 0U);
  const std::string ptx = ".version 8.4\n.global .b8 big[1024];\n" + std::string(1, '\0');
  EXPECT_EQ(bytes_of_globals(fat({{1, 52, ptx}}).data()), 1024U);
  EXPECT_EQ(bytes_of_globals(fat({{7, 80, cubin(kGiB)}}).data()), 0U) << "something else";
}

TEST(ImageSize, OfPtxIsThatOfItsVariables) {
  const std::string head = "//\n.version 8.4\n.target sm_80\n.address_size 64\n";
  EXPECT_EQ(bytes_of_globals(
                (head + ".visible .global .align 4 .b8 big[1073741824];\n"
                        ".global .align 8 .f64 table[3][4] = {0};\n.global .u32 counter;\n"
                        ".const .align 4 .b8 other[65536];\n.entry k() { ld.global.u32 %r1, [%rd1]; }\n")
                    .c_str()),
            kGiB + 96 + 4);
  EXPECT_EQ(bytes_of_globals((head + ".global .b8 name").c_str()), 1U);
  EXPECT_EQ(bytes_of_globals(head.c_str()), 0U);
}

TEST(ImageSize, OfWhatCannotBeReadIsUnknown) {
  constexpr std::size_t kPage = 4096;
  auto* memory = static_cast<char*>(
      ::mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_EQ(::mprotect(memory + kPage, kPage, PROT_NONE), 0);
  const std::string image = cubin(kGiB);
  std::memcpy(memory + kPage - 64, image.data(), 64);
  EXPECT_EQ(bytes_of_globals(memory + kPage - 64), 0U) << "its sections are beyond the end";
  std::memcpy(memory + kPage - 13, ".global .b8 x", 13);
  EXPECT_EQ(bytes_of_globals(memory + kPage - 13), 1U) << "without an end";
  EXPECT_EQ(bytes_of_globals(memory + kPage), 0U);
  EXPECT_EQ(bytes_of_globals(nullptr), 0U);
  ::munmap(memory, 2 * kPage);
}

}  // namespace
}  // namespace hami::vgpu
