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

std::string fat(const std::vector<std::string>& cubins, std::uint64_t flags = 0) {
  std::string entries;
  for (const std::string& image : cubins) {
    std::uint64_t entry[8] = {std::uint64_t{64} << 32U | 2, image.size()};
    entry[5] = flags;
    entries.append(reinterpret_cast<const char*>(entry), sizeof entry);
    entries += image;
  }
  const std::uint64_t header[2] = {std::uint64_t{16} << 48U | std::uint64_t{1} << 32U | 0xba55ed50,
                                   entries.size()};
  return std::string(reinterpret_cast<const char*>(header), sizeof header) + entries;
}

TEST(ImageSize, OfACubinIsThatOfItsVariables) {
  EXPECT_EQ(bytes_of_globals(cubin(2 * kGiB).data()), 2 * kGiB);
}

TEST(ImageSize, OfAnotherProcessorsObjectIsUnknown) {
  std::string image = cubin(2 * kGiB);
  image[18] = 62;
  EXPECT_EQ(bytes_of_globals(image.data()), 0U);
}

TEST(ImageSize, OfAFatBinaryIsTheLeastOfItsCubins) {
  const std::string image = fat({cubin(2 * kGiB), cubin(kGiB)});
  EXPECT_EQ(bytes_of_globals(image.data()), kGiB);
  struct {
    std::uint32_t magic = 0x466243b1;
    std::uint32_t version = 1;
    const void* data;
  } wrapper;
  wrapper.data = image.data();
  EXPECT_EQ(bytes_of_globals(&wrapper), kGiB);
  EXPECT_EQ(bytes_of_globals(fat({cubin(kGiB)}, 0x2000).data()), 0U) << "compressed";
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
