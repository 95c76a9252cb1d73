#include "tests/simdriver/cuda/module.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/heap.h"
#include "tests/simdriver/cuda/stream.h"

namespace hami::sim {
namespace {

constexpr std::uint64_t kModuleMagic = 0x656c75646f6dULL;
constexpr std::uint64_t kFunctionMagic = 0x6e6f6974636eULL;
constexpr std::uint64_t kMicrosecond = 1000;
constexpr std::uint64_t kDefaultBlockNs = 10 * kMicrosecond;
constexpr std::uint64_t kBlocksPerMultiprocessor = 2;
constexpr std::uint64_t kCodeBytes = 2 * kMiB;

// A module's image may begin with this text and then say how much device memory its globals take: "SIMGPU
// <bytes>". Of PTX the first array of bytes counts, of a cubin its sections.
constexpr const char* kImageMark = "SIMGPU ";
constexpr const char* kPtxMark = ".version";
constexpr const char* kPtxArray = ".global .b8 ";

struct LoadedFunction;

struct Module {
  std::uint64_t magic;
  CUdeviceptr memory;  // code and globals
  std::uint64_t code;
  std::uint64_t bytes;  // of both
  LoadedFunction* functions;
};

struct LoadedFunction {
  std::uint64_t magic;
  Module* module;
  char name[64];
  std::uint64_t block_ns;
  std::uint64_t at_once;  // 0: two for each multiprocessor
  int shape[3];           // of the old launch functions
  LoadedFunction* next;
};

template <typename Handle>
Module* find_module(Handle handle) {
  auto* module = reinterpret_cast<Module*>(handle);
  return module != nullptr && module->magic == kModuleMagic ? module : nullptr;
}

template <typename Handle>
LoadedFunction* find_loaded(Handle handle) {
  auto* function = reinterpret_cast<LoadedFunction*>(handle);
  return function != nullptr && function->magic == kFunctionMagic ? function : nullptr;
}

struct ImageBytes {
  std::uint64_t code = kCodeBytes;
  std::uint64_t globals = 0;
};

bool is_cubin(const void* image) { return memcmp(image, ELFMAG, SELFMAG) == 0; }

ImageBytes bytes_of_cubin(const void* image) {
  ImageBytes found;
  std::uint64_t code = 0;
  const auto& header = *static_cast<const Elf64_Ehdr*>(image);
  const auto* sections =
      reinterpret_cast<const Elf64_Shdr*>(static_cast<const char*>(image) + header.e_shoff);
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    if ((sections[i].sh_flags & SHF_ALLOC) == 0) continue;
    ((sections[i].sh_flags & SHF_WRITE) != 0 ? found.globals : code) += sections[i].sh_size;
  }
  if (loads_eagerly() && code > kCodeBytes) found.code = (code + kCodeBytes - 1) / kCodeBytes * kCodeBytes;
  return found;
}

ImageBytes bytes_of(const void* image) {
  if (is_cubin(image)) return bytes_of_cubin(image);
  std::uint64_t globals = 0;
  const auto* text = static_cast<const char*>(image);
  if (strncmp(text, kImageMark, strlen(kImageMark)) == 0)
    globals = strtoull(text + strlen(kImageMark), nullptr, 10);
  if (strncmp(text, kPtxMark, strlen(kPtxMark)) == 0) {
    const char* array = strstr(text, kPtxArray);
    const char* length = array != nullptr ? strchr(array, '[') : nullptr;
    if (length != nullptr) globals = strtoull(length + 1, nullptr, 10);
  }
  return {kCodeBytes, globals};
}

template <typename Handle>
CUresult load(Handle* out, const void* image) {
  SIM_TRY(check_not_capturing());
  SIM_CONTEXT(context);
  if (out == nullptr || image == nullptr) return CUDA_ERROR_INVALID_VALUE;
  auto* module = static_cast<Module*>(calloc(1, sizeof(Module)));
  if (module == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  module->magic = kModuleMagic;
  const ImageBytes bytes = bytes_of(image);
  module->code = bytes.code;
  module->bytes = bytes.code + bytes.globals;
  const CUresult result = allocate(*context, module->bytes, Kind::code, module->memory);
  if (result != CUDA_SUCCESS) {
    free(module);
    return result;
  }
  *out = reinterpret_cast<Handle>(module);
  return CUDA_SUCCESS;
}

template <typename Handle>
CUresult load_file(Handle* out, const char* name) {
  if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  FILE* file = fopen(name, "re");
  if (file == nullptr) return CUDA_ERROR_FILE_NOT_FOUND;
  char head[256] = "";
  const std::size_t size = fread(head, 1, sizeof head - 1, file);
  fclose(file);
  return size > 0 ? load(out, head) : CUDA_ERROR_INVALID_IMAGE;
}

template <typename Handle>
CUresult unload(Handle handle) {
  Module* module = find_module(handle);
  if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  Allocation memory;
  if (forget(module->memory, bit(Kind::code), memory)) release(memory);
  while (module->functions != nullptr) {
    LoadedFunction* function = module->functions;
    module->functions = function->next;
    function->magic = 0;
    free(function);
  }
  module->magic = 0;
  free(module);
  return CUDA_SUCCESS;
}

void read_cost(LoadedFunction& function) {
  unsigned long long microseconds = 0;
  unsigned long long blocks = 0;
  function.block_ns = kDefaultBlockNs;
  if (sscanf(function.name, "k_%llu_%llu", &microseconds, &blocks) != 2) return;
  function.block_ns = microseconds * kMicrosecond;
  function.at_once = blocks;
}

template <typename Handle>
CUresult get_function(Handle* out, Module* module, const char* name) {
  if (out == nullptr || name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (name[0] == 0 || strlen(name) >= sizeof LoadedFunction::name) return CUDA_ERROR_NOT_FOUND;
  auto* function = static_cast<LoadedFunction*>(calloc(1, sizeof(LoadedFunction)));
  if (function == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  function->magic = kFunctionMagic;
  function->module = module;
  snprintf(function->name, sizeof function->name, "%s", name);
  read_cost(*function);
  function->next = module->functions;
  module->functions = function;
  *out = reinterpret_cast<Handle>(function);
  return CUDA_SUCCESS;
}

// The one global that every module has is what it takes beside its code.
CUresult get_global(CUdeviceptr* address, std::size_t* bytes, const Module* module) {
  if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (module->bytes == module->code) return CUDA_ERROR_NOT_FOUND;
  if (address != nullptr) *address = module->memory + module->code;
  if (bytes != nullptr) *bytes = module->bytes - module->code;
  return CUDA_SUCCESS;
}

}  // namespace

bool loads_eagerly() {
  const char* mode = getenv("CUDA_MODULE_LOADING");
  return mode != nullptr && strcmp(mode, "EAGER") == 0;
}

CUresult cost_of(CUfunction handle, const Device& device, std::uint64_t blocks, Work& out) {
  const LoadedFunction* function = find_loaded(handle);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  const std::uint64_t capacity = device.multiprocessors * kBlocksPerMultiprocessor;
  std::uint64_t at_once =
      function->at_once == 0 || function->at_once > capacity ? capacity : function->at_once;
  if (blocks < at_once) at_once = blocks;
  const std::uint64_t waves = (blocks + at_once - 1) / at_once;
  out = {waves * function->block_ns, static_cast<double>(at_once) / static_cast<double>(capacity)};
  return CUDA_SUCCESS;
}

}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuModuleLoad(CUmodule* module, const char* name) {
  SIM_ENTER(cuModuleLoad);
  return load_file(module, name);
}

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
  SIM_ENTER(cuModuleLoadData);
  return load(module, image);
}

CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned, CUjit_option*, void**) {
  SIM_ENTER(cuModuleLoadDataEx);
  return load(module, image);
}

CUresult cuModuleLoadFatBinary(CUmodule* module, const void* image) {
  SIM_ENTER(cuModuleLoadFatBinary);
  return load(module, image);
}

CUresult cuModuleUnload(CUmodule module) {
  SIM_ENTER(cuModuleUnload);
  return unload(module);
}

CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
  SIM_ENTER(cuModuleGetFunction);
  return get_function(function, find_module(module), name);
}

CUresult cuModuleGetGlobal_v2(CUdeviceptr* address, std::size_t* bytes, CUmodule module, const char*) {
  SIM_ENTER(cuModuleGetGlobal_v2);
  return get_global(address, bytes, find_module(module));
}

CUresult cuLibraryLoadData(CUlibrary* library, const void* code, CUjit_option*, void**, unsigned,
                           CUlibraryOption*, void**, unsigned) {
  SIM_ENTER(cuLibraryLoadData);
  return load(library, code);
}

CUresult cuLibraryLoadFromFile(CUlibrary* library, const char* name, CUjit_option*, void**, unsigned,
                               CUlibraryOption*, void**, unsigned) {
  SIM_ENTER(cuLibraryLoadFromFile);
  return load_file(library, name);
}

CUresult cuLibraryUnload(CUlibrary library) {
  SIM_ENTER(cuLibraryUnload);
  return unload(library);
}

CUresult cuLibraryGetKernel(CUkernel* kernel, CUlibrary library, const char* name) {
  SIM_ENTER(cuLibraryGetKernel);
  return get_function(kernel, find_module(library), name);
}

CUresult cuLibraryGetModule(CUmodule* module, CUlibrary library) {
  SIM_ENTER(cuLibraryGetModule);
  if (module == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (find_module(library) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  *module = reinterpret_cast<CUmodule>(library);
  return CUDA_SUCCESS;
}

CUresult cuLibraryGetGlobal(CUdeviceptr* address, std::size_t* bytes, CUlibrary library, const char*) {
  SIM_ENTER(cuLibraryGetGlobal);
  return get_global(address, bytes, find_module(library));
}

CUresult cuKernelGetFunction(CUfunction* function, CUkernel kernel) {
  SIM_ENTER(cuKernelGetFunction);
  if (function == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (find_loaded(kernel) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  *function = reinterpret_cast<CUfunction>(kernel);
  return CUDA_SUCCESS;
}

CUresult cuKernelGetName(const char** name, CUkernel kernel) {
  SIM_ENTER(cuKernelGetName);
  const auto* function = find_loaded(kernel);
  if (name == nullptr || function == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *name = function->name;
  return CUDA_SUCCESS;
}

CUresult cuFuncGetName(const char** name, CUfunction handle) {
  SIM_ENTER(cuFuncGetName);
  const auto* function = find_loaded(handle);
  if (name == nullptr || function == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *name = function->name;
  return CUDA_SUCCESS;
}

CUresult cuFuncGetModule(CUmodule* module, CUfunction handle) {
  SIM_ENTER(cuFuncGetModule);
  const auto* function = find_loaded(handle);
  if (module == nullptr || function == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *module = reinterpret_cast<CUmodule>(function->module);
  return CUDA_SUCCESS;
}

CUresult cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction handle) {
  SIM_ENTER(cuFuncGetAttribute);
  if (value == nullptr || find_loaded(handle) == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *value = attribute == 0 ? 1024 : 0;  // threads of a block; nothing else is used
  return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction handle, CUfunction_attribute, int) {
  SIM_ENTER(cuFuncSetAttribute);
  return find_loaded(handle) != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuFuncSetBlockShape(CUfunction handle, int x, int y, int z) {
  SIM_ENTER(cuFuncSetBlockShape);
  auto* function = find_loaded(handle);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  function->shape[0] = x;
  function->shape[1] = y;
  function->shape[2] = z;
  return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction handle, int, std::size_t) {
  SIM_ENTER(cuOccupancyMaxActiveBlocksPerMultiprocessor);
  if (blocks == nullptr || find_loaded(handle) == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *blocks = static_cast<int>(kBlocksPerMultiprocessor);
  return CUDA_SUCCESS;
}
}
