// The driver's functions: prototypes, and a number for each.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libvgpu/cuda/types.h"

extern "C" {
#define SIM_FN(symbol, since, result, params, args) result symbol params;
#include "tests/simdriver/cuda/all_functions.def"
}

namespace hami::sim {

enum class Fn : std::uint32_t {
#define SIM_FN(symbol, since, result, params, args) symbol,
#include "tests/simdriver/cuda/all_functions.def"
  kCount
};

inline constexpr std::size_t kFunctionCount = static_cast<std::size_t>(Fn::kCount);

struct Function {
  const char* symbol;
  std::uint32_t since;  // CUDA version that brought this variant
  void* address;        // in this library, whatever a preload puts in front of it
};

extern const Function kFunctions[kFunctionCount];

// Index in kFunctions, or -1. By the exported symbol.
int find_function(const char* symbol);

}  // namespace hami::sim
