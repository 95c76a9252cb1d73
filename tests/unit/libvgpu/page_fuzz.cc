// Any bytes as a usage page that processes of the container have written: admission, reports and repair end,
// and nothing outside the page is touched. Input: pairs of a 32-bit offset and a 64-bit value.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "libvgpu/abi/usage_repair.h"
#include "libvgpu/core/account.h"

namespace {

int make_page_file() {
  char path[] = "/tmp/vgpu_page_fuzz.XXXXXX";
  const int fd = ::mkstemp(path);
  if (fd < 0 || ::ftruncate(fd, sizeof(hami::abi::UsagePage)) != 0) std::abort();
  ::unlink(path);
  return fd;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int fd = make_page_file();
  static auto* page = static_cast<hami::abi::UsagePage*>(
      ::mmap(nullptr, sizeof(hami::abi::UsagePage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  if (::ftruncate(fd, 0) != 0 || ::ftruncate(fd, sizeof(hami::abi::UsagePage)) != 0) std::abort();
  hami::abi::SliceFile slice = {};
  slice.device_count = 4;
  hami::abi::init_usage_page(page, slice);
  for (std::size_t at = 0; at + 12 <= size; at += 12) {
    std::uint32_t offset = 0;
    std::memcpy(&offset, data + at, sizeof offset);
    offset %= sizeof(hami::abi::UsagePage) - 8;
    std::memcpy(reinterpret_cast<unsigned char*>(page) + offset, data + at + 4, 8);
  }
  if (!hami::abi::is_usage_page(*page)) return 0;
  hami::abi::repair(*page, fd, hami::abi::kMaxSlots);
  for (const auto& slot : page->slots) {
    if (hami::abi::slot_bytes(slot, 3) >> 63U != 0) std::abort();
  }
  return 0;
}
