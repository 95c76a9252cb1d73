// cuGetProcAddress in both forms, and what else works before cuInit.
#include <stdlib.h>
#include <string.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/driver.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/state/store.h"

namespace hami::sim {
namespace {

constexpr std::uint64_t kLegacyFlag = 1;
constexpr std::uint64_t kPerThreadFlag = 2;
constexpr std::size_t kMaxBase = 64;
constexpr int kDefaultCudaVersion = 12040;  // of a driver whose kernel part is missing

struct Variant {
  char base[kMaxBase];  // "cuMemAlloc" of "cuMemAlloc_v2"
  std::uint32_t since;
  bool per_thread;
  void* address;
};

struct Variants {
  Variant rows[kFunctionCount];  // by base, then per_thread, then since
};

bool ends_with(const char* text, std::size_t length, const char* end) {
  const std::size_t size = strlen(end);
  return length > size && memcmp(text + length - size, end, size) == 0;
}

void split(const Function& function, Variant& out) {
  std::size_t length = strlen(function.symbol);
  out.per_thread = ends_with(function.symbol, length, "_ptsz") || ends_with(function.symbol, length, "_ptds");
  if (out.per_thread) length -= 5;
  if (length > 3 && function.symbol[length - 3] == '_' && function.symbol[length - 2] == 'v') length -= 3;
  memcpy(out.base, function.symbol, length);
  out.base[length] = 0;
  out.since = function.since;
  out.address = function.address;
}

int compare(const void* left, const void* right) {
  const auto& a = *static_cast<const Variant*>(left);
  const auto& b = *static_cast<const Variant*>(right);
  if (const int order = strcmp(a.base, b.base)) return order;
  if (a.per_thread != b.per_thread) return a.per_thread ? 1 : -1;
  return a.since < b.since ? -1 : 1;
}

Variants* make_variants() {
  auto* table = static_cast<Variants*>(calloc(1, sizeof(Variants)));
  if (table == nullptr) abort();
  for (std::size_t i = 0; i < kFunctionCount; ++i) split(kFunctions[i], table->rows[i]);
  qsort(table->rows, kFunctionCount, sizeof(Variant), compare);
  return table;
}

const Variants& variants() {
  static Variants* table = nullptr;
  Variants* known = __atomic_load_n(&table, __ATOMIC_ACQUIRE);
  if (known != nullptr) return *known;
  Variants* made = make_variants();
  if (!__atomic_compare_exchange_n(&table, &known, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    free(made);
    return *known;
  }
  return *made;
}

std::size_t first_of(const Variants& table, const char* base) {
  std::size_t low = 0;
  std::size_t high = kFunctionCount;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (strcmp(table.rows[middle].base, base) < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

struct Answer {
  void* address = nullptr;
  bool known = false;  // some variant of that name exists
};

// The newest variant that `version` has; of the per-thread ones where asked and there.
Answer find_variant(const char* base, std::uint32_t version, bool per_thread) {
  Answer answer;
  const Variants& table = variants();
  for (std::size_t i = first_of(table, base); i < kFunctionCount && strcmp(table.rows[i].base, base) == 0;
       ++i) {
    const Variant& row = table.rows[i];
    answer.known = true;
    if (row.since > version || (row.per_thread && !per_thread)) continue;
    answer.address = row.address;  // later rows are newer, and per-thread rows come last
  }
  return answer;
}

int driver_version() {
  const State* state = attach();
  return state != nullptr ? static_cast<int>(state->options.cuda_version) : kDefaultCudaVersion;
}

CUresult get_proc_address(const char* symbol, void** out, int version, std::uint64_t flags,
                          CUdriverProcAddressQueryResult* status) {
  if (symbol == nullptr || out == nullptr || flags > (kLegacyFlag | kPerThreadFlag))
    return CUDA_ERROR_INVALID_VALUE;
  if (version > driver_version()) return CUDA_ERROR_INVALID_VALUE;
  const Answer answer = find_variant(symbol, static_cast<std::uint32_t>(version < 0 ? 0 : version),
                                     (flags & kPerThreadFlag) != 0);
  *out = answer.address;
  if (status != nullptr) {
    *status = answer.address != nullptr ? CU_GET_PROC_ADDRESS_SUCCESS
              : answer.known            ? CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT
                                        : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
  }
  if (answer.address != nullptr) return CUDA_SUCCESS;
  return status != nullptr ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

struct ErrorText {
  int code;
  const char* name;
  const char* text;
};

const ErrorText kErrors[] = {
#define SIM_ERROR(name, value, text) {value, #name, text},
#include "tests/simdriver/cuda/errors.def"
};

constexpr CUuuid kRuntimeTable = {
    {0x6b, 0xd5, 0xfb, 0x6c, 0x5b, 0xf4, 0xe7, 0x4a, 0x89, 0x87, 0xd9, 0x39, 0x12, 0xfd, 0x9d, 0xf9}};

// The size comes first; entry 2 makes the primary context of a device.
struct RuntimeEntries {
  std::size_t size;
  void* unknown;
  CUresult (*primary_context)(CUcontext*, CUdevice);
};
const RuntimeEntries kRuntimeEntries = {sizeof(RuntimeEntries), nullptr, cuDevicePrimaryCtxRetain};

const ErrorText* find_error(CUresult code) {
  for (const ErrorText& error : kErrors) {
    if (error.code == static_cast<int>(code)) return &error;
  }
  return nullptr;
}

}  // namespace
}  // namespace hami::sim

extern "C" {

CUresult cuGetProcAddress(const char* symbol, void** pfn, int version, std::uint64_t flags) {
  SIM_CALL(cuGetProcAddress);
  return hami::sim::get_proc_address(symbol, pfn, version, flags, nullptr);
}

CUresult cuGetProcAddress_v2(const char* symbol, void** pfn, int version, std::uint64_t flags,
                             CUdriverProcAddressQueryResult* status) {
  SIM_CALL(cuGetProcAddress_v2);
  return hami::sim::get_proc_address(symbol, pfn, version, flags, status);
}

// Of the private tables only the one is modelled through which NVIDIA's run time makes primary contexts; the
// others check the caller with a handshake.
CUresult cuGetExportTable(const void** table, const CUuuid* id) {
  SIM_CALL(cuGetExportTable);
  if (table != nullptr) *table = nullptr;
  if (table == nullptr || id == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (memcmp(id, &hami::sim::kRuntimeTable, sizeof *id) != 0) return CUDA_ERROR_NOT_FOUND;
  *table = &hami::sim::kRuntimeEntries;
  return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int* version) {
  SIM_CALL(cuDriverGetVersion);
  if (version == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *version = hami::sim::driver_version();
  return CUDA_SUCCESS;
}

CUresult cuGetErrorName(CUresult error, const char** name) {
  SIM_CALL(cuGetErrorName);
  if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto* known = hami::sim::find_error(error);
  *name = known != nullptr ? known->name : nullptr;
  return known != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGetErrorString(CUresult error, const char** text) {
  SIM_CALL(cuGetErrorString);
  if (text == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto* known = hami::sim::find_error(error);
  *text = known != nullptr ? known->text : nullptr;
  return known != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
}
