// Writes what hami-runtime mounts into a container: the files `slice` and `usage` in a directory.
//
//   container_files DIRECTORY MEMORY CORES UUID...
//
// MEMORY: bytes of each card that the container may use. CORES: percent of its time, 0: no limit.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "libvgpu/abi/slice.h"
#include "libvgpu/abi/usage.h"

namespace {

using namespace hami::abi;

bool write_file(const std::string& path, const void* bytes, std::size_t size) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return false;
  const bool written = std::fwrite(bytes, 1, size, file) == size;
  return std::fclose(file) == 0 && written;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5 || argc - 4 > static_cast<int>(kMaxDevices)) {
    std::fprintf(stderr, "usage: container_files DIRECTORY MEMORY CORES UUID...\n");
    return 2;
  }
  const std::string directory = argv[1];
  SliceFile slice = {};
  slice.device_count = static_cast<std::uint32_t>(argc - 4);
  slice.generation = 1;
  for (std::uint32_t i = 0; i < slice.device_count; ++i) {
    SliceDevice& device = slice.devices[i];
    std::strncpy(device.uuid, argv[4 + i], sizeof device.uuid - 1);
    device.memory_limit = std::strtoull(argv[2], nullptr, 10);
    device.core_limit = static_cast<std::uint32_t>(std::strtoul(argv[3], nullptr, 10));
  }
  seal(slice);
  const auto page = std::make_unique<UsagePage>();
  std::memset(static_cast<void*>(page.get()), 0, sizeof *page);
  init_usage_page(page.get(), slice);
  if (!write_file(directory + "/slice", &slice, sizeof slice) ||
      !write_file(directory + "/usage", page.get(), sizeof *page)) {
    std::perror(argv[1]);
    return 1;
  }
  return 0;
}
