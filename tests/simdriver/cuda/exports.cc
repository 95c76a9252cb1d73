// Exports every name of the driver. A function that another file models replaces its weak definition here.
#include <string.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

extern "C" {
#define SIM_FN(symbol, since, result, params, args) \
  __attribute__((weak)) result symbol params { return hami::sim::not_modelled(hami::sim::Fn::symbol); }
#include "tests/simdriver/cuda/all_functions.def"
}

namespace hami::sim {

const Function kFunctions[kFunctionCount] = {
#define SIM_FN(symbol, since, result, params, args) {#symbol, since, reinterpret_cast<void*>(&symbol)},
#include "tests/simdriver/cuda/all_functions.def"
};

int find_function(const char* symbol) {
  for (std::size_t i = 0; i < kFunctionCount; ++i) {
    if (strcmp(kFunctions[i].symbol, symbol) == 0) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace hami::sim
