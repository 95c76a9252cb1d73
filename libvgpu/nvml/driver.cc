#include "libvgpu/nvml/driver.h"

#include <array>
#include <string_view>

#include "libvgpu/export.h"

// Our functions have the driver's names and prototypes; a slip in a definition does not compile.
#define HAMI_FN(symbol, since, result, params, args) HAMI_EXPORT result symbol params;
#include "libvgpu/nvml/functions.def"

namespace hami::vgpu {

constinit NvmlDriver g_nvml = {};

namespace {

constexpr std::array kNames{
#define HAMI_FN(symbol, ...) std::string_view{#symbol},
#define HAMI_FN_DRIVER(symbol, ...) std::string_view{#symbol},
#include "libvgpu/nvml/functions.def"
};

static_assert(is_sorted(kNames), "keep functions.def sorted: look-up is a binary search");
static_assert(sizeof(NvmlDriver) == kNames.size() * sizeof(void*));

const Row kRows[] = {
#define HAMI_FN(symbol, since, ...) \
  {#symbol, reinterpret_cast<void*>(&::symbol), since, symbol_hash(#symbol)},
#define HAMI_FN_DRIVER(symbol, since, ...) {#symbol, nullptr, since, symbol_hash(#symbol)},
#include "libvgpu/nvml/functions.def"
};

constinit LibraryState g_state = {};
constexpr Library kLibrary{"libnvidia-ml.so.1", kRows, kNames.size(), &g_nvml, &g_state};

}  // namespace

const Library& nvml_library() noexcept { return kLibrary; }

}  // namespace hami::vgpu
