// Driver types that nobody here looks into: handles, enumerations and records that only pass through.
// Enumerations are C enumerations of four bytes. Source: CUDA Driver API 13.0.
#pragma once

#include <cstddef>
#include <cstdint>

enum CUresult : int;
enum CUaddress_mode : int;
enum CUarray_format : int;
enum CUatomicOperation : int;
enum CUcoredumpSettings : int;
enum CUdevResourceType : int;
enum CUdevice_P2PAttribute : int;
enum CUexecAffinityType : int;
enum CUfilter_mode : int;
enum CUflushGPUDirectRDMAWritesScope : int;
enum CUflushGPUDirectRDMAWritesTarget : int;
enum CUfunc_cache : int;
enum CUfunctionLoadingState : int;
enum CUfunction_attribute : int;
enum CUgraphExecUpdateResult : int;
enum CUjitInputType : int;
enum CUjit_option : int;
enum CUkernelNodeAttrID : int;
enum CUlibraryOption : int;
enum CUlogLevel : int;
enum CUmemAccess_flags : int;
enum CUmemAllocationGranularity_flags : int;
enum CUmemAllocationHandleType : int;
enum CUmemRangeHandleType : int;
enum CUmem_advise : int;
enum CUmem_range_attribute : int;
enum CUmoduleLoadingMode : int;
enum CUmulticastGranularity_flags : int;
enum CUoutput_mode : int;
enum CUprocessState : int;
enum CUsharedconfig : int;
enum CUstreamAttrID : int;
enum CUtensorMapDataType : int;
enum CUtensorMapFloatOOBfill : int;
enum CUtensorMapIm2ColWideMode : int;
enum CUtensorMapInterleave : int;
enum CUtensorMapL2promotion : int;
enum CUtensorMapSwizzle : int;

// Records, always handled by address.
struct CUDA_ARRAY_SPARSE_PROPERTIES;
struct CUDA_BATCH_MEM_OP_NODE_PARAMS;
struct CUDA_EXTERNAL_MEMORY_MIPMAPPED_ARRAY_DESC;
struct CUDA_EXTERNAL_SEMAPHORE_HANDLE_DESC;
struct CUDA_EXTERNAL_SEMAPHORE_SIGNAL_PARAMS;
struct CUDA_EXTERNAL_SEMAPHORE_WAIT_PARAMS;
struct CUDA_EXT_SEM_SIGNAL_NODE_PARAMS;
struct CUDA_EXT_SEM_WAIT_NODE_PARAMS;
struct CUDA_HOST_NODE_PARAMS;
struct CUDA_MEMCPY2D;
struct CUDA_MEMCPY2D_v1;
struct CUDA_MEMCPY3D;
struct CUDA_MEMCPY3D_BATCH_OP;
struct CUDA_MEMCPY3D_PEER;
struct CUDA_MEMCPY3D_v1;
struct CUDA_MEMSET_NODE_PARAMS;
struct CUDA_RESOURCE_DESC;
struct CUDA_RESOURCE_VIEW_DESC;
struct CUDA_TEXTURE_DESC;
struct CUasyncNotificationInfo;
struct CUcheckpointCheckpointArgs;
struct CUcheckpointLockArgs;
struct CUcheckpointRestoreArgs;
struct CUcheckpointUnlockArgs;
struct CUdevResource;
struct CUdevprop;
struct CUexecAffinityParam;
struct CUgraphEdgeData;
struct CUgraphExecUpdateResultInfo;
struct CUkernelNodeAttrValue;
struct CUmemDecompressParams;
struct CUmemcpyAttributes;
struct CUstreamAttrValue;
struct CUstreamBatchMemOpParams;
struct CUtensorMap;

// Handles.
using CUarray = struct CUarray_st*;
using CUasyncCallbackHandle = struct CUasyncCallbackHandle_st*;
using CUcontext = struct CUcontext_st*;
using CUdevResourceDesc = struct CUdevResourceDesc_st*;
using CUevent = struct CUevent_st*;
using CUexternalMemory = struct CUexternalMemory_st*;
using CUexternalSemaphore = struct CUexternalSemaphore_st*;
using CUfunction = struct CUfunction_st*;
using CUgraph = struct CUgraph_st*;
using CUgraphExec = struct CUgraphExec_st*;
using CUgraphNode = struct CUgraphNode_st*;
using CUgraphicsResource = struct CUgraphicsResource_st*;
using CUgreenCtx = struct CUgreenCtx_st*;
using CUkernel = struct CUkernel_st*;
using CUlibrary = struct CUlibrary_st*;
using CUlinkState = struct CUlinkState_st*;
using CUlogsCallbackHandle = struct CUlogsCallbackHandle_st*;
using CUmemoryPool = struct CUmemoryPool_st*;
using CUmipmappedArray = struct CUmipmappedArray_st*;
using CUmodule = struct CUmodule_st*;
using CUstream = struct CUstream_st*;
using CUsurfref = struct CUsurfref_st*;
using CUtexref = struct CUtexref_st*;
using CUuserObject = struct CUuserObject_st*;
using CUgraphConditionalHandle = std::uint64_t;
using CUlogIterator = unsigned;
using CUsurfObject = std::uint64_t;
using CUtexObject = std::uint64_t;

// Callbacks of the program.
using CUstreamCallback = void (*)(CUstream stream, CUresult status, void* data);
using CUhostFn = void (*)(void* data);
using CUoccupancyB2DSize = std::size_t (*)(int block_size);
using CUlogsCallback = void (*)(void* data, CUlogLevel level, char* message, std::size_t length);
using CUasyncCallback = void (*)(CUasyncNotificationInfo* info, void* data, CUasyncCallbackHandle callback);
