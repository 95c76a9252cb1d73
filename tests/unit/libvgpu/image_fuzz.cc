// Any bytes as a module's image, up to the border of readable memory: what they say is bounded, and said in
// the end. Input: the compute capability of the card, then the image.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "libvgpu/cuda/image_size.h"

namespace {

// Memory that ends at a page which cannot be read.
char* border() {
  constexpr std::size_t kRoom = 1U << 20U;
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* memory = mmap(nullptr, kRoom + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || mprotect(static_cast<char*>(memory) + kRoom, page, PROT_NONE) != 0)
    std::abort();
  return static_cast<char*>(memory) + kRoom;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static char* const end = border();
  if (size < 2 || size > (1U << 20U)) return 0;
  char* image = end - (size - 1);
  std::memcpy(image, data + 1, size - 1);
  const hami::vgpu::ImageSize found = hami::vgpu::image_size(image, data[0]);
  if ((found.globals | found.code) >> 47U != 0) std::abort();
  return 0;
}
