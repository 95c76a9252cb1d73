#include "libvgpu/cuda/driver.h"

#include <array>
#include <string_view>

#include "libvgpu/export.h"

// Our functions have the driver's names and prototypes; a slip in a definition does not compile.
#define HAMI_FN(symbol, since, result, params, args) HAMI_EXPORT result symbol params;
#define HAMI_FN_LAUNCH HAMI_FN
#include "libvgpu/cuda/functions.def"

namespace hami::vgpu {

constinit CudaDriver g_cuda = {};

namespace {

constexpr std::array kNames{
#define HAMI_FN(symbol, ...) std::string_view{#symbol},
#define HAMI_FN_DRIVER(symbol, ...) std::string_view{#symbol},
#include "libvgpu/cuda/functions.def"
};

static_assert(is_sorted(kNames), "keep functions.def sorted: look-up is a binary search");
static_assert(sizeof(CudaDriver) == kNames.size() * sizeof(void*));

const Row kRows[] = {
#define HAMI_FN(symbol, since, ...) \
  {#symbol, reinterpret_cast<void*>(&::symbol), since, symbol_hash(#symbol)},
#define HAMI_FN_LAUNCH HAMI_FN
#define HAMI_FN_DRIVER(symbol, since, ...) {#symbol, nullptr, since, symbol_hash(#symbol)},
#include "libvgpu/cuda/functions.def"
};

constinit LibraryState g_state = {};
constexpr Library kLibrary{"libcuda.so.1", kRows, kNames.size(), &g_cuda, &g_state};

}  // namespace

const Library& cuda_library() noexcept { return kLibrary; }

}  // namespace hami::vgpu
