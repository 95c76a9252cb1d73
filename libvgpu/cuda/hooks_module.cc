// Modules and libraries: code and global variables lie in device memory. How much nobody tells: it is
// measured, and what does not fit is unloaded again.
#include "libvgpu/cuda/charge.h"
#include "libvgpu/cuda/contexts.h"
#include "libvgpu/cuda/overhead.h"
#include "libvgpu/export.h"

namespace hami::vgpu {
namespace {

template <typename Handle, typename Call, typename Undo>
CUresult load(Space space, Handle* out, Call call, Undo undo) noexcept {
  if (mode() == Mode::off) return call();
  if (mode() == Mode::unusable) return kUnusable;
  CUresult status = CUDA_SUCCESS;
  const int device = out != nullptr ? current_device_index(status) : -1;
  if (device < 0) return call();  // without a context it is loaded later, into the first one
  current_context();              // one that we have not seen yet is charged before, not as part of this
  const Growth growth(static_cast<unsigned>(device));
  status = call();
  if (status != CUDA_SUCCESS) return status;
  Reservation reservation = reserve(static_cast<unsigned>(device), growth.bytes());
  if (reservation && keep(space, reinterpret_cast<std::uintptr_t>(*out), reservation)) return CUDA_SUCCESS;
  undo(*out);
  *out = nullptr;
  return reservation ? CUDA_ERROR_OUT_OF_MEMORY : refusal(reservation);
}

template <typename Call>
CUresult load_module(CUmodule* out, Call call) noexcept {
  return load(Space::module, out, call, [](CUmodule made) { driver<&CudaDriver::cuModuleUnload>(made); });
}

template <typename Call>
CUresult load_library(CUlibrary* out, Call call) noexcept {
  return load(Space::library, out, call, [](CUlibrary made) { driver<&CudaDriver::cuLibraryUnload>(made); });
}

}  // namespace
}  // namespace hami::vgpu

using namespace hami::vgpu;

HAMI_EXPORT CUresult cuModuleLoad(CUmodule* module, const char* fname) {
  return load_module(module, [=] { return driver<&CudaDriver::cuModuleLoad>(module, fname); });
}

HAMI_EXPORT CUresult cuModuleLoadData(CUmodule* module, const void* image) {
  return load_module(module, [=] { return driver<&CudaDriver::cuModuleLoadData>(module, image); });
}

HAMI_EXPORT CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned num_options,
                                        CUjit_option* options, void** option_values) {
  return load_module(module, [=] {
    return driver<&CudaDriver::cuModuleLoadDataEx>(module, image, num_options, options, option_values);
  });
}

HAMI_EXPORT CUresult cuModuleLoadFatBinary(CUmodule* module, const void* fat_cubin) {
  return load_module(module, [=] { return driver<&CudaDriver::cuModuleLoadFatBinary>(module, fat_cubin); });
}

HAMI_EXPORT CUresult cuModuleUnload(CUmodule hmod) {
  return release(Space::module, reinterpret_cast<std::uintptr_t>(hmod),
                 [=] { return driver<&CudaDriver::cuModuleUnload>(hmod); });
}

HAMI_EXPORT CUresult cuLibraryLoadData(CUlibrary* library, const void* code, CUjit_option* jit_options,
                                       void** jit_options_values, unsigned num_jit_options,
                                       CUlibraryOption* library_options, void** library_option_values,
                                       unsigned num_library_options) {
  return load_library(library, [=] {
    return driver<&CudaDriver::cuLibraryLoadData>(library, code, jit_options, jit_options_values,
                                                  num_jit_options, library_options, library_option_values,
                                                  num_library_options);
  });
}

HAMI_EXPORT CUresult cuLibraryLoadFromFile(CUlibrary* library, const char* file_name,
                                           CUjit_option* jit_options, void** jit_options_values,
                                           unsigned num_jit_options, CUlibraryOption* library_options,
                                           void** library_option_values, unsigned num_library_options) {
  return load_library(library, [=] {
    return driver<&CudaDriver::cuLibraryLoadFromFile>(library, file_name, jit_options, jit_options_values,
                                                      num_jit_options, library_options, library_option_values,
                                                      num_library_options);
  });
}

HAMI_EXPORT CUresult cuLibraryUnload(CUlibrary library) {
  return release(Space::library, reinterpret_cast<std::uintptr_t>(library),
                 [=] { return driver<&CudaDriver::cuLibraryUnload>(library); });
}
