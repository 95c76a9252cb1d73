// Every function of the table that no other file models: NOT_SUPPORTED, as NVML answers on many cards.
#include "tests/simdriver/nvml/nvml.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

namespace {
template <typename Result>
Result not_supported() {
  return Result{};
}
template <>
nvmlReturn_t not_supported<nvmlReturn_t>() {
  return NVML_ERROR_NOT_SUPPORTED;
}
}  // namespace

extern "C" {
#define HAMI_FN(symbol, since, result, params, args) \
  __attribute__((weak)) result symbol params { return not_supported<result>(); }
#define HAMI_FN_DRIVER(symbol, since, result, params, args) HAMI_FN(symbol, since, result, params, args)
#include "libvgpu/nvml/functions.def"
}
