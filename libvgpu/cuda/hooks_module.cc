// Modules and libraries: code and global variables lie in device memory. What the image tells of its
// variables is admitted before it is loaded; how much it was, is measured, and what does not fit is unloaded
// again.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libvgpu/cuda/charge.h"
#include "libvgpu/cuda/contexts.h"
#include "libvgpu/cuda/devices.h"
#include "libvgpu/cuda/image_size.h"
#include "libvgpu/cuda/overhead.h"
#include "libvgpu/export.h"

namespace hami::vgpu {
namespace {

constexpr int kEager = 1;  // CU_MODULE_EAGER_LOADING

// A driver that loads lazily takes code for what is launched, when it is launched, and not for all of it.
bool is_eager() noexcept {
  auto loading = CUmoduleLoadingMode{kEager};  // as before there was another way
  driver<&CudaDriver::cuModuleGetLoadingMode>(&loading);
  return loading == CUmoduleLoadingMode{kEager};
}

unsigned capability_of(CUdevice ordinal) noexcept {
  int major = 0;
  int minor = 0;
  driver<&CudaDriver::cuDeviceGetAttribute>(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, ordinal);
  driver<&CudaDriver::cuDeviceGetAttribute>(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, ordinal);
  return static_cast<unsigned>(major * 10 + minor);
}

std::uint64_t in_blocks(std::uint64_t bytes) noexcept {
  return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

// Room for code comes as a block where there is one; without one it may still fit into what the context has.
Reservation reserve_image(unsigned device, const void* image) noexcept {
  const ImageSize size = image_size(image, capability_of(ordinal_of(device)));
  const std::uint64_t limit = limit_of(device);
  const std::uint64_t used = g_process.account.page()->devices[device].committed.load();
  const std::uint64_t code = is_eager() && size.code > kBlockBytes ? in_blocks(size.code) : kBlockBytes;
  const std::uint64_t bytes = in_blocks(size.globals) + code;
  const bool has_block = limit == 0 || (used < limit && limit - used >= bytes);
  return reserve(device, has_block ? bytes : bytes - kBlockBytes);
}

template <typename Handle, typename Call, typename Undo>
CUresult load(Space space, Handle* out, const void* image, Call call, Undo undo) noexcept {
  if (mode() == Mode::off) return call();
  if (mode() == Mode::unusable) return kUnusable;
  CUresult status = CUDA_SUCCESS;
  const int device = out != nullptr ? current_device_index(status) : -1;
  if (device < 0) return call();  // without a context it is loaded later, into the first one
  current_context();              // one that we have not seen yet is charged before, not as part of this
  Reservation reservation = reserve_image(static_cast<unsigned>(device), image);
  if (!reservation) return refusal(reservation);
  const Growth growth(static_cast<unsigned>(device));
  status = call();
  if (status != CUDA_SUCCESS) return status;
  const bool fits = reservation.settle(growth.bytes(), limit_of(static_cast<unsigned>(device)));
  if (fits && keep(space, reinterpret_cast<std::uintptr_t>(*out), reservation)) return CUDA_SUCCESS;
  undo(*out);
  *out = nullptr;
  return CUDA_ERROR_OUT_OF_MEMORY;
}

// The beginning of a file that lies in memory as long as this lives.
class ImageFile {
 public:
  explicit ImageFile(const char* name) noexcept {
    const ErrnoGuard keep_errno;
    const int fd = name == nullptr || mode() != Mode::on
                       ? -1
                       : ::open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return;
    const off_t size = ::lseek(fd, 0, SEEK_END);
    // With a page behind its end, so that a text ends.
    if (size > 0) size_ = static_cast<std::size_t>(size) + 1;
    if (size_ != 0) memory_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    if (memory_ == MAP_FAILED) memory_ = nullptr;
    ::close(fd);
  }
  ~ImageFile() {
    if (memory_ != nullptr) ::munmap(memory_, size_);
  }
  ImageFile(const ImageFile&) = delete;
  ImageFile& operator=(const ImageFile&) = delete;
  const void* get() const noexcept { return memory_; }

 private:
  void* memory_ = nullptr;
  std::size_t size_ = 0;
};

template <typename Call>
CUresult load_module(CUmodule* out, const void* image, Call call) noexcept {
  return load(Space::module, out, image, call,
              [](CUmodule made) { driver<&CudaDriver::cuModuleUnload>(made); });
}

template <typename Call>
CUresult load_library(CUlibrary* out, const void* image, Call call) noexcept {
  return load(Space::library, out, image, call,
              [](CUlibrary made) { driver<&CudaDriver::cuLibraryUnload>(made); });
}

}  // namespace
}  // namespace hami::vgpu

using namespace hami::vgpu;

HAMI_EXPORT CUresult cuModuleLoad(CUmodule* module, const char* fname) {
  const ImageFile file(fname);
  return load_module(module, file.get(), [=] { return driver<&CudaDriver::cuModuleLoad>(module, fname); });
}

HAMI_EXPORT CUresult cuModuleLoadData(CUmodule* module, const void* image) {
  return load_module(module, image, [=] { return driver<&CudaDriver::cuModuleLoadData>(module, image); });
}

HAMI_EXPORT CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned num_options,
                                        CUjit_option* options, void** option_values) {
  return load_module(module, image, [=] {
    return driver<&CudaDriver::cuModuleLoadDataEx>(module, image, num_options, options, option_values);
  });
}

HAMI_EXPORT CUresult cuModuleLoadFatBinary(CUmodule* module, const void* fat_cubin) {
  return load_module(module, fat_cubin,
                     [=] { return driver<&CudaDriver::cuModuleLoadFatBinary>(module, fat_cubin); });
}

HAMI_EXPORT CUresult cuModuleUnload(CUmodule hmod) {
  return release(Space::module, reinterpret_cast<std::uintptr_t>(hmod),
                 [=] { return driver<&CudaDriver::cuModuleUnload>(hmod); });
}

HAMI_EXPORT CUresult cuLibraryLoadData(CUlibrary* library, const void* code, CUjit_option* jit_options,
                                       void** jit_options_values, unsigned num_jit_options,
                                       CUlibraryOption* library_options, void** library_option_values,
                                       unsigned num_library_options) {
  return load_library(library, code, [=] {
    return driver<&CudaDriver::cuLibraryLoadData>(library, code, jit_options, jit_options_values,
                                                  num_jit_options, library_options, library_option_values,
                                                  num_library_options);
  });
}

HAMI_EXPORT CUresult cuLibraryLoadFromFile(CUlibrary* library, const char* file_name,
                                           CUjit_option* jit_options, void** jit_options_values,
                                           unsigned num_jit_options, CUlibraryOption* library_options,
                                           void** library_option_values, unsigned num_library_options) {
  const ImageFile file(file_name);
  return load_library(library, file.get(), [=] {
    return driver<&CudaDriver::cuLibraryLoadFromFile>(library, file_name, jit_options, jit_options_values,
                                                      num_jit_options, library_options, library_option_values,
                                                      num_library_options);
  });
}

HAMI_EXPORT CUresult cuLibraryUnload(CUlibrary library) {
  return release(Space::library, reinterpret_cast<std::uintptr_t>(library),
                 [=] { return driver<&CudaDriver::cuLibraryUnload>(library); });
}
