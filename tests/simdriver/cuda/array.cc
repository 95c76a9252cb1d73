// Arrays and mipmapped arrays: their size on the card is what cuArrayGetMemoryRequirements says.
#include <stdlib.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/heap.h"
#include "tests/simdriver/cuda/stream.h"

namespace hami::sim {
namespace {

constexpr std::uint64_t kMagic = 0x7961727261ULL;
constexpr std::uint64_t kSmallUnit = 64 * kKiB;
constexpr unsigned kMaxLevels = 16;

struct Array {
  std::uint64_t magic;
  CUDA_ARRAY3D_DESCRIPTOR descriptor;
  std::uint32_t device;
  std::uint64_t bytes;    // on the card; 0: owns none
  std::uint64_t address;  // its record in the heap, so that it ends with its context
  bool mipmapped;
  bool is_level;  // belongs to a mipmapped array
  Array* levels[kMaxLevels];
};

template <typename Handle>
Array* find_array(Handle handle) {
  auto* array = reinterpret_cast<Array*>(handle);
  return array != nullptr && array->magic == kMagic ? array : nullptr;
}

// Source: CUDA driver API, CUarray_format.
unsigned bytes_per_channel(int format) {
  switch (format) {
    case 0x01:
    case 0x08:
      return 1;
    case 0x02:
    case 0x09:
    case 0x10:
      return 2;
    case 0x03:
    case 0x0a:
    case 0x20:
      return 4;
    default:
      return 0;
  }
}

std::size_t at_least_one(std::size_t extent) { return extent == 0 ? 1 : extent; }

// Bytes of one block of 4 x 4 texels of the compressed formats, 0 for others.
unsigned block_bytes(int format) {
  if (format < 0x91 || format > 0x9e) return 0;
  const bool small = format == 0x91 || format == 0x92 || format == 0x97 || format == 0x98;  // BC1, BC4
  return small ? 8 : 16;
}

std::uint64_t plain_bytes(const CUDA_ARRAY3D_DESCRIPTOR& d) {
  const std::uint64_t depth = at_least_one(d.Depth);
  if (const unsigned block = block_bytes(d.Format)) {
    return ((d.Width + 3) / 4) * ((at_least_one(d.Height) + 3) / 4) * depth * block;
  }
  return d.Width * at_least_one(d.Height) * depth * d.NumChannels * bytes_per_channel(d.Format);
}

std::uint64_t on_card(std::uint64_t bytes) {
  const std::uint64_t unit = bytes < kMiB ? kSmallUnit : kBlock;
  return (bytes + unit - 1) / unit * unit;
}

bool is_valid(const CUDA_ARRAY3D_DESCRIPTOR& d) {
  if (d.Width == 0 || d.NumChannels == 0 || d.NumChannels == 3 || d.NumChannels > 4) return false;
  return bytes_per_channel(d.Format) != 0 || block_bytes(d.Format) != 0;
}

Array* make_array(const Context& context, const CUDA_ARRAY3D_DESCRIPTOR& descriptor) {
  auto* array = static_cast<Array*>(calloc(1, sizeof(Array)));
  if (array == nullptr) return nullptr;
  array->magic = kMagic;
  array->descriptor = descriptor;
  array->device = context.device;
  return array;
}

// Takes the array's memory and puts it into the heap, which gives it back with the context.
CUresult take_memory(Context& context, Array& array, std::uint64_t bytes) {
  constexpr unsigned kWithoutMemory = CUDA_ARRAY3D_SPARSE | CUDA_ARRAY3D_DEFERRED_MAPPING;
  if ((array.descriptor.Flags & kWithoutMemory) != 0) return CUDA_SUCCESS;
  const Amount amount{on_card(bytes), on_card(bytes)};
  if (!charge(context.device, amount)) return CUDA_ERROR_OUT_OF_MEMORY;
  array.bytes = amount.physical;
  array.address = take_addresses(amount.physical);
  Allocation made = {};
  made.address = array.address;
  made.size = amount.physical;
  made.kind = Kind::array;
  made.device = context.device;
  made.charged = amount;
  made.context = &context;
  remember(made);
  return CUDA_SUCCESS;
}

CUresult create(CUarray* out, const CUDA_ARRAY3D_DESCRIPTOR& descriptor) {
  SIM_TRY(check_not_capturing());
  SIM_CONTEXT(context);
  if (out == nullptr || !is_valid(descriptor)) return CUDA_ERROR_INVALID_VALUE;
  Array* array = make_array(*context, descriptor);
  if (array == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  const CUresult result = take_memory(*context, *array, plain_bytes(descriptor));
  if (result != CUDA_SUCCESS) {
    free(array);
    return result;
  }
  *out = reinterpret_cast<CUarray>(array);
  return CUDA_SUCCESS;
}

CUDA_ARRAY3D_DESCRIPTOR level_of(const CUDA_ARRAY3D_DESCRIPTOR& d, unsigned level) {
  const auto halve = [&](std::size_t extent) { return extent == 0 ? 0 : at_least_one(extent >> level); };
  CUDA_ARRAY3D_DESCRIPTOR smaller = d;
  smaller.Width = halve(d.Width);
  smaller.Height = halve(d.Height);
  const bool layers = (d.Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP)) != 0;
  smaller.Depth = layers ? d.Depth : halve(d.Depth);
  return smaller;
}

CUresult create_mipmapped(CUmipmappedArray* out, const CUDA_ARRAY3D_DESCRIPTOR& descriptor, unsigned levels) {
  SIM_TRY(check_not_capturing());
  SIM_CONTEXT(context);
  if (out == nullptr || !is_valid(descriptor) || levels == 0 || levels > kMaxLevels)
    return CUDA_ERROR_INVALID_VALUE;
  Array* array = make_array(*context, descriptor);
  if (array == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  array->mipmapped = true;
  std::uint64_t bytes = 0;
  for (unsigned i = 0; i < levels; ++i) bytes += plain_bytes(level_of(descriptor, i));
  const CUresult result = take_memory(*context, *array, bytes);
  if (result != CUDA_SUCCESS) {
    free(array);
    return result;
  }
  for (unsigned i = 0; i < levels; ++i) {
    array->levels[i] = make_array(*context, level_of(descriptor, i));
    if (array->levels[i] != nullptr) array->levels[i]->is_level = true;
  }
  *out = reinterpret_cast<CUmipmappedArray>(array);
  return CUDA_SUCCESS;
}

CUresult destroy(Array* array, bool mipmapped) {
  if (array == nullptr || array->mipmapped != mipmapped || array->is_level) return CUDA_ERROR_INVALID_HANDLE;
  Allocation memory;
  if (array->bytes != 0 && forget(array->address, bit(Kind::array), memory)) release(memory);
  for (Array* level : array->levels) {
    if (level != nullptr) level->magic = 0;
    free(level);
  }
  array->magic = 0;
  free(array);
  return CUDA_SUCCESS;
}

CUresult requirements(CUDA_ARRAY_MEMORY_REQUIREMENTS* out, const Array* array, CUdevice device) {
  if (out == nullptr || array == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
  *out = {};
  out->size = array->bytes != 0 ? array->bytes : on_card(plain_bytes(array->descriptor));
  out->alignment = kSmallUnit;
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuArrayCreate_v2(CUarray* array, const CUDA_ARRAY_DESCRIPTOR* descriptor) {
  SIM_ENTER(cuArrayCreate_v2);
  if (descriptor == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return create(array,
                {descriptor->Width, descriptor->Height, 0, descriptor->Format, descriptor->NumChannels, 0});
}

CUresult cuArrayCreate(CUarray* array, const CUDA_ARRAY_DESCRIPTOR_v1* descriptor) {
  SIM_ENTER(cuArrayCreate);
  if (descriptor == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return create(array,
                {descriptor->Width, descriptor->Height, 0, descriptor->Format, descriptor->NumChannels, 0});
}

CUresult cuArray3DCreate_v2(CUarray* array, const CUDA_ARRAY3D_DESCRIPTOR* descriptor) {
  SIM_ENTER(cuArray3DCreate_v2);
  return descriptor == nullptr ? CUDA_ERROR_INVALID_VALUE : create(array, *descriptor);
}

CUresult cuArray3DCreate(CUarray* array, const CUDA_ARRAY3D_DESCRIPTOR_v1* d) {
  SIM_ENTER(cuArray3DCreate);
  if (d == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return create(array, {d->Width, d->Height, d->Depth, d->Format, d->NumChannels, d->Flags});
}

CUresult cuArrayDestroy(CUarray array) {
  SIM_ENTER(cuArrayDestroy);
  return destroy(find_array(array), false);
}

CUresult cuArray3DGetDescriptor_v2(CUDA_ARRAY3D_DESCRIPTOR* descriptor, CUarray handle) {
  SIM_ENTER(cuArray3DGetDescriptor_v2);
  const auto* array = find_array(handle);
  if (descriptor == nullptr || array == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *descriptor = array->descriptor;
  return CUDA_SUCCESS;
}

CUresult cuArrayGetDescriptor_v2(CUDA_ARRAY_DESCRIPTOR* descriptor, CUarray handle) {
  SIM_ENTER(cuArrayGetDescriptor_v2);
  const auto* array = find_array(handle);
  if (descriptor == nullptr || array == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto& from = array->descriptor;
  *descriptor = {from.Width, from.Height, from.Format, from.NumChannels};
  return CUDA_SUCCESS;
}

CUresult cuArrayGetMemoryRequirements(CUDA_ARRAY_MEMORY_REQUIREMENTS* out, CUarray array, CUdevice device) {
  SIM_ENTER(cuArrayGetMemoryRequirements);
  return requirements(out, find_array(array), device);
}

CUresult cuMipmappedArrayCreate(CUmipmappedArray* array, const CUDA_ARRAY3D_DESCRIPTOR* descriptor,
                                unsigned levels) {
  SIM_ENTER(cuMipmappedArrayCreate);
  return descriptor == nullptr ? CUDA_ERROR_INVALID_VALUE : create_mipmapped(array, *descriptor, levels);
}

CUresult cuMipmappedArrayDestroy(CUmipmappedArray array) {
  SIM_ENTER(cuMipmappedArrayDestroy);
  return destroy(find_array(array), true);
}

CUresult cuMipmappedArrayGetLevel(CUarray* out, CUmipmappedArray handle, unsigned level) {
  SIM_ENTER(cuMipmappedArrayGetLevel);
  const auto* array = find_array(handle);
  if (out == nullptr || array == nullptr || level >= kMaxLevels || array->levels[level] == nullptr) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  *out = reinterpret_cast<CUarray>(array->levels[level]);
  return CUDA_SUCCESS;
}

CUresult cuMipmappedArrayGetMemoryRequirements(CUDA_ARRAY_MEMORY_REQUIREMENTS* out, CUmipmappedArray array,
                                               CUdevice device) {
  SIM_ENTER(cuMipmappedArrayGetMemoryRequirements);
  return requirements(out, find_array(array), device);
}
}
