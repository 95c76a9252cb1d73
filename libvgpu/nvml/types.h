// The part of NVML's binary interface that we need, declared from its documentation; the names are NVML's
// own. Layouts hold for x86-64 and aarch64. Source: NVML API reference, version 13.
#pragma once

#include <cstddef>
#include <cstdint>

enum nvmlReturn_t : int {
  NVML_SUCCESS = 0,
  NVML_ERROR_UNINITIALIZED = 1,
  NVML_ERROR_INVALID_ARGUMENT = 2,
  NVML_ERROR_NOT_SUPPORTED = 3,
  NVML_ERROR_NO_PERMISSION = 4,
  NVML_ERROR_NOT_FOUND = 6,
  NVML_ERROR_INSUFFICIENT_SIZE = 7,
  NVML_ERROR_DRIVER_NOT_LOADED = 9,
  NVML_ERROR_TIMEOUT = 10,
  NVML_ERROR_FUNCTION_NOT_FOUND = 13,
  NVML_ERROR_GPU_IS_LOST = 15,
  NVML_ERROR_NO_DATA = 21,
  NVML_ERROR_ARGUMENT_VERSION_MISMATCH = 25,
  NVML_ERROR_UNKNOWN = 999,
};

using nvmlDevice_t = struct nvmlDevice_st*;

inline constexpr std::size_t NVML_DEVICE_UUID_BUFFER_SIZE = 80;
inline constexpr std::uint64_t NVML_VALUE_NOT_AVAILABLE = ~std::uint64_t{0};

// The version word of a struct: its size in the low bits, its version in the top byte.
template <typename Struct>
inline constexpr unsigned nvml_version(unsigned version) noexcept {
  return static_cast<unsigned>(sizeof(Struct)) | (version << 24U);
}

struct nvmlMemory_t {
  std::uint64_t total;
  std::uint64_t free;
  std::uint64_t used;
};
static_assert(sizeof(nvmlMemory_t) == 24);

struct nvmlMemory_v2_t {
  unsigned version;
  std::uint64_t total;
  std::uint64_t reserved;
  std::uint64_t free;
  std::uint64_t used;
};
static_assert(sizeof(nvmlMemory_v2_t) == 40 && nvml_version<nvmlMemory_v2_t>(2) == 0x02000028);

struct nvmlBAR1Memory_t {
  std::uint64_t bar1Total;
  std::uint64_t bar1Free;
  std::uint64_t bar1Used;
};
static_assert(sizeof(nvmlBAR1Memory_t) == 24);

struct nvmlProcessInfo_v1_t {
  unsigned pid;
  std::uint64_t usedGpuMemory;
};
static_assert(sizeof(nvmlProcessInfo_v1_t) == 16);

// Also the record of the _v3 functions.
struct nvmlProcessInfo_v2_t {
  unsigned pid;
  std::uint64_t usedGpuMemory;
  unsigned gpuInstanceId;
  unsigned computeInstanceId;
};
static_assert(sizeof(nvmlProcessInfo_v2_t) == 24);

struct nvmlProcessDetail_v1_t {
  unsigned pid;
  std::uint64_t usedGpuMemory;
  unsigned gpuInstanceId;
  unsigned computeInstanceId;
  std::uint64_t usedGpuCcProtectedMemory;
};
static_assert(sizeof(nvmlProcessDetail_v1_t) == 32);

struct nvmlProcessDetailList_v1_t {
  unsigned version;
  unsigned mode;
  unsigned numProcArrayEntries;
  nvmlProcessDetail_v1_t* procArray;
};
static_assert(sizeof(nvmlProcessDetailList_v1_t) == 24);

struct nvmlProcessUtilizationSample_t {
  unsigned pid;
  std::uint64_t timeStamp;  // microseconds
  unsigned smUtil;
  unsigned memUtil;
  unsigned encUtil;
  unsigned decUtil;
};
static_assert(sizeof(nvmlProcessUtilizationSample_t) == 32);

struct nvmlProcessUtilizationInfo_v1_t {
  std::uint64_t timeStamp;
  unsigned pid;
  unsigned smUtil;
  unsigned memUtil;
  unsigned encUtil;
  unsigned decUtil;
  unsigned jpgUtil;
  unsigned ofaUtil;
};
static_assert(sizeof(nvmlProcessUtilizationInfo_v1_t) == 40);

struct nvmlProcessesUtilizationInfo_v1_t {
  unsigned version;
  unsigned processSamplesCount;
  std::uint64_t lastSeenTimeStamp;
  nvmlProcessUtilizationInfo_v1_t* procUtilArray;
};
static_assert(sizeof(nvmlProcessesUtilizationInfo_v1_t) == 24);

struct nvmlUtilization_t {
  unsigned gpu;
  unsigned memory;
};
static_assert(sizeof(nvmlUtilization_t) == 8);

struct nvmlPciInfo_t {
  char busIdLegacy[16];
  unsigned domain;
  unsigned bus;
  unsigned device;
  unsigned pciDeviceId;
  unsigned pciSubSystemId;
  char busId[32];
};
static_assert(sizeof(nvmlPciInfo_t) == 68);

struct nvmlAccountingStats_t {
  unsigned gpuUtilization;
  unsigned memoryUtilization;
  std::uint64_t maxMemoryUsage;
  std::uint64_t time;
  std::uint64_t startTime;
  unsigned isRunning;
  unsigned reserved[5];
};
static_assert(sizeof(nvmlAccountingStats_t) == 56);

struct nvmlDeviceAttributes_t {
  unsigned multiprocessorCount;
  unsigned sharedCopyEngineCount;
  unsigned sharedDecoderCount;
  unsigned sharedEncoderCount;
  unsigned sharedJpegCount;
  unsigned sharedOfaCount;
  unsigned gpuInstanceSliceCount;
  unsigned computeInstanceSliceCount;
  std::uint64_t memorySizeMB;
};
static_assert(sizeof(nvmlDeviceAttributes_t) == 40);

struct nvmlFieldValue_t {
  unsigned fieldId;
  unsigned scopeId;
  std::int64_t timestamp;
  std::int64_t latencyUsec;
  unsigned valueType;
  nvmlReturn_t nvmlReturn;
  std::uint64_t value;
};
static_assert(sizeof(nvmlFieldValue_t) == 40);

struct nvmlSample_t {
  std::uint64_t timeStamp;  // microseconds
  std::uint64_t value;      // a union; what nvmlValueType_t says
};
static_assert(sizeof(nvmlSample_t) == 16);

inline constexpr int NVML_GPU_UTILIZATION_SAMPLES = 1;
inline constexpr int NVML_MEMORY_UTILIZATION_SAMPLES = 2;
inline constexpr int NVML_VALUE_TYPE_UNSIGNED_INT = 1;
