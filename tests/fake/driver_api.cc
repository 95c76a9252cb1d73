#include "tests/fake/driver_api.h"

#include <gtest/gtest.h>

namespace hami::fake {

CUcontext start_driver(CUdevice device) {
  CUcontext context = nullptr;
  EXPECT_NE(driver_library(), nullptr) << dlerror();
  EXPECT_CU(CU(cuInit)(0));
  EXPECT_CU(CU(cuDevicePrimaryCtxRetain)(&context, device));
  EXPECT_CU(CU(cuCtxSetCurrent)(context));
  return context;
}

std::uint64_t free_memory() {
  std::size_t free = 0;
  std::size_t total = 0;
  EXPECT_CU(CU(cuMemGetInfo_v2)(&free, &total));
  return free;
}

CUfunction kernel(const char* name) {
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  EXPECT_CU(CU(cuModuleLoadData)(&module, "image"));
  EXPECT_CU(CU(cuModuleGetFunction)(&function, module, name));
  return function;
}

CUresult launch(CUfunction function, unsigned blocks, CUstream stream) {
  return CU(cuLaunchKernel)(function, blocks, 1, 1, 32, 1, 1, 0, stream, nullptr, nullptr);
}

}  // namespace hami::fake
