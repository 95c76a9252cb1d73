// cuGetProcAddress: the driver answers, with the program's version and flags; we translate the address it
// gives.
#include <cstring>

#include "libvgpu/core/log.h"
#include "libvgpu/core/process.h"
#include "libvgpu/cuda/driver.h"
#include "libvgpu/cuda/pace.h"
#include "libvgpu/cuda/variants.h"
#include "libvgpu/export.h"

namespace hami::vgpu {
namespace {

// What the driver itself says for the newest version that we know.
void* ask_known_version(const char* symbol, std::uint64_t flags) noexcept {
  void* address = nullptr;
  CUdriverProcAddressQueryResult found = CU_GET_PROC_ADDRESS_SUCCESS;
  if (driver<&CudaDriver::cuGetProcAddress_v2>(symbol, &address, kCudaTableVersion, flags, &found) ==
      CUDA_SUCCESS) {
    return address;
  }
  address = nullptr;
  driver<&CudaDriver::cuGetProcAddress>(symbol, &address, kCudaTableVersion, flags);
  return address;
}

// What stands for an address of the driver that is in none of our rows. The version tells which of our
// variants it must be. One newer than our table would have another shape: it is withheld rather than let
// through.
void* find_out(const char* symbol, void* address, int version, std::uint64_t flags) noexcept {
  const Library& library = cuda_library();
  const int index = newest_variant(library, symbol, version, flags);
  if (index < 0 || library.row(index).hook == nullptr || library.entry_point(index) == nullptr)
    return address;
  if (version <= kCudaTableVersion || ask_known_version(symbol, flags) == address)
    return library.row(index).hook;
  log(LogLevel::error, "the driver has a variant of ", symbol,
      " that this library does not know; it is withheld");
  return nullptr;
}

// Our function in place of the driver's `address`; the address itself when we replace nothing there.
void* translate(const char* symbol, void* address, int version, std::uint64_t flags) noexcept {
  if (is_idle_launch(symbol)) return address;
  const Library& library = cuda_library();
  const Library::Known known = library.at(address);
  if (known.known) [[likely]]
    return known.hook != nullptr ? known.hook : address;
  void* answer = find_out(symbol, address, version, flags);
  if (answer != nullptr) library.remember(address, answer == address ? nullptr : answer);
  return answer;
}

}  // namespace
}  // namespace hami::vgpu

using namespace hami::vgpu;

HAMI_EXPORT CUresult cuGetProcAddress_v2(const char* symbol, void** pfn, int driver_version,
                                         std::uint64_t flags, CUdriverProcAddressQueryResult* symbol_found) {
  const CUresult status =
      driver<&CudaDriver::cuGetProcAddress_v2>(symbol, pfn, driver_version, flags, symbol_found);
  if (status != CUDA_SUCCESS || pfn == nullptr || *pfn == nullptr || mode() == Mode::off) return status;
  *pfn = translate(symbol, *pfn, driver_version, flags);
  return status;
}

HAMI_EXPORT CUresult cuGetProcAddress(const char* symbol, void** pfn, int driver_version,
                                      std::uint64_t flags) {
  const CUresult status = driver<&CudaDriver::cuGetProcAddress>(symbol, pfn, driver_version, flags);
  if (status != CUDA_SUCCESS || pfn == nullptr || *pfn == nullptr || mode() == Mode::off) return status;
  *pfn = translate(symbol, *pfn, driver_version, flags);
  return status;
}
