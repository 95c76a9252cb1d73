// The driver's functions for tests that call it themselves, in a child process of SimNode::in_child.
#pragma once

#include <dlfcn.h>

#include "tests/fake/sim_node.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/hooks.h"

namespace hami::fake {

inline void* driver_library() {
  static void* library = dlopen(sim_file("libcuda.so.1").c_str(), RTLD_NOW);
  return library;
}

template <typename Function>
Function driver_function(const char* symbol) {
  return reinterpret_cast<Function>(dlsym(driver_library(), symbol));
}

// Starts the driver and makes the primary context of a device the current one.
CUcontext start_driver(CUdevice device = 0);

// Bytes of the card that nobody has.
std::uint64_t free_memory();

// The function k_<microseconds>_<blocks> of a module of its own.
CUfunction kernel(const char* name);

// One launch of so many blocks.
CUresult launch(CUfunction function, unsigned blocks, CUstream stream);

}  // namespace hami::fake

// A function of the driver, typed: CU(cuMemAlloc_v2)(&address, size).
#define CU(symbol) (::hami::fake::driver_function<decltype(&symbol)>(#symbol))
#define EXPECT_CU(result) EXPECT_EQ(result, CUDA_SUCCESS)
#define ASSERT_CU(result) ASSERT_EQ(result, CUDA_SUCCESS)
