#include "tests/fake/property/worker.h"

#include <cstdio>

namespace hami::property {
namespace {

constexpr std::size_t kMostObjects = 24;
constexpr std::size_t kMostOnTable = 64;
constexpr std::uint64_t kBlock = 2 * kMiB;
constexpr auto kFloat = CUarray_format{0x20};

std::uint64_t round_up(std::uint64_t bytes, std::uint64_t unit) { return (bytes + unit - 1) / unit * unit; }

// The driver's granularity: small requests are pieces of 512 bytes, others take whole blocks.
std::uint64_t linear_bytes(std::uint64_t bytes) { return round_up(bytes, bytes < kMiB ? 512 : kBlock); }

bool is_linear(Kind kind) { return kind == Kind::linear || kind == Kind::managed || kind == Kind::pitch; }

bool is_pooled(Kind kind) { return kind == Kind::stream_ordered || kind == Kind::from_pool; }

std::uint64_t number(const void* handle) { return reinterpret_cast<std::uintptr_t>(handle); }

template <typename Handle>
Handle handle_of(std::uint64_t name) {
  return reinterpret_cast<Handle>(static_cast<std::uintptr_t>(name));
}

}  // namespace

// xorshift64*: the same sequence for the same seed everywhere.
std::uint64_t Worker::draw(std::uint64_t bound) {
  random_ ^= random_ >> 12U;
  random_ ^= random_ << 25U;
  random_ ^= random_ >> 27U;
  return (random_ * 0x2545f4914f6cdd1dULL >> 11U) % bound;
}

// Mostly small, sometimes large, now and then more than there can be.
std::uint64_t Worker::random_size() {
  switch (draw(16)) {
    case 0:
      return 1100 * kMiB;
    case 1:
    case 2:
      return draw(48 * kMiB) + 1;
    case 3:
    case 4:
    case 5:
      return draw(4 * kMiB) + 1;
    default:
      return draw(64 * 1024) + 1;
  }
}

void Worker::expect(bool holds, const char* what, int value) {
  if (holds) return;
  if (shared_.wrong.fetch_add(1) < 10) std::fprintf(stderr, "vgpu-random: %s: %d\n", what, value);
}

CUresult Worker::make_array(Object& object) {
  const CUDA_ARRAY_DESCRIPTOR plane = {draw(2048) + 1, draw(2048) + 1, kFloat, 1};
  CUarray array = nullptr;
  const CUresult status = cuda_.cuArrayCreate_v2(&array, &plane);
  if (status != CUDA_SUCCESS) return status;
  CUDA_ARRAY_MEMORY_REQUIREMENTS needs = {};
  cuda_.cuArrayGetMemoryRequirements(&needs, array, shared_.device);
  object.name = number(array);
  object.bytes = linear_bytes(needs.size);
  return status;
}

CUresult Worker::make_mipmap(Object& object) {
  const CUDA_ARRAY3D_DESCRIPTOR volume = {draw(256) + 1, draw(256) + 1, draw(16) + 1, kFloat, 1, 0};
  CUmipmappedArray mipmap = nullptr;
  const CUresult status = cuda_.cuMipmappedArrayCreate(&mipmap, &volume, 1 + static_cast<unsigned>(draw(4)));
  if (status != CUDA_SUCCESS) return status;
  CUDA_ARRAY_MEMORY_REQUIREMENTS needs = {};
  cuda_.cuMipmappedArrayGetMemoryRequirements(&needs, mipmap, shared_.device);
  object.name = number(mipmap);
  object.bytes = linear_bytes(needs.size);
  return status;
}

CUresult Worker::make_physical(Object& object) {
  CUmemAllocationProp prop = {};
  prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  prop.location = {CU_MEM_LOCATION_TYPE_DEVICE, shared_.device};
  object.bytes = kBlock * (1 + draw(16));
  CUmemGenericAllocationHandle handle = 0;
  const CUresult status = cuda_.cuMemCreate(&handle, object.bytes, &prop, 0);
  object.name = handle;
  return status;
}

CUresult Worker::make(Object& object) {
  const std::uint64_t size = random_size();
  CUdeviceptr pointer = 0;
  CUresult status = CUDA_SUCCESS;
  object.bytes = linear_bytes(size);
  switch (object.kind) {
    case Kind::linear:
      status = cuda_.cuMemAlloc_v2(&pointer, size);
      break;
    case Kind::managed:
      status = cuda_.cuMemAllocManaged(&pointer, size, 1);
      break;
    case Kind::pitch: {
      std::size_t pitch = 0;
      const std::uint64_t height = 1 + draw(64);
      status = cuda_.cuMemAllocPitch_v2(&pointer, &pitch, size / 64 + 1, height, 4);
      object.bytes = linear_bytes(pitch * height);
      break;
    }
    case Kind::stream_ordered:
      status = cuda_.cuMemAllocAsync(&pointer, size, nullptr);
      break;
    case Kind::from_pool:
      status = cuda_.cuMemAllocFromPoolAsync(&pointer, size, shared_.pool, nullptr);
      break;
    case Kind::array:
      return make_array(object);
    case Kind::mipmap:
      return make_mipmap(object);
    case Kind::physical:
      return make_physical(object);
  }
  object.name = pointer;
  if (is_pooled(object.kind)) object.bytes = 0;  // the pool is counted, not what it hands out
  if (is_linear(object.kind) && object.bytes < kMiB) {
    object.in_block = object.bytes;
    object.bytes = 0;
  }
  return status;
}

// Small pieces of a block are counted as one block while there is any.
void Worker::count_block(const Object& object, bool is_new) {
  if (object.in_block == 0) return;
  const std::lock_guard guard(shared_.blocks_lock);
  unsigned& pieces = shared_.blocks[object.name / kBlock];
  const bool had_any = pieces != 0;
  pieces += is_new ? 1U : ~0U;
  if (!had_any && is_new) shared_.model.fetch_add(kBlock);
  if (had_any && pieces == 0) shared_.model.fetch_sub(kBlock);
}

void Worker::take() {
  constexpr Kind kKinds[] = {Kind::linear,         Kind::linear,    Kind::linear, Kind::linear,
                             Kind::managed,        Kind::pitch,     Kind::array,  Kind::physical,
                             Kind::stream_ordered, Kind::from_pool, Kind::mipmap};
  Object object;
  object.kind = kKinds[draw(sizeof kKinds / sizeof kKinds[0])];
  std::size_t free_before = 0;
  std::size_t total = 0;
  if (shared_.is_alone) cuda_.cuMemGetInfo_v2(&free_before, &total);
  const CUresult status = make(object);
  if (status == CUDA_SUCCESS) {
    shared_.model.fetch_add(object.bytes);
    count_block(object, true);
    objects_.push_back(object);
    return;
  }
  expect(status == CUDA_ERROR_OUT_OF_MEMORY, "an allocation failed with another error",
         static_cast<int>(status));
  shared_.refused.fetch_add(1);
  const bool is_judged = shared_.is_alone && (object.kind == Kind::linear || object.kind == Kind::managed);
  const std::uint64_t needed = object.in_block != 0 ? kBlock : object.bytes;
  expect(!is_judged || needed > free_before, "refused although it fits, KiB",
         static_cast<int>(needed / 1024));
}

CUresult Worker::unmap(Object& object) {
  const CUresult status = cuda_.cuMemUnmap(object.address, object.bytes);
  cuda_.cuMemAddressFree(object.address, object.bytes);
  object.address = 0;
  return status;
}

CUresult Worker::destroy(const Object& object) {
  switch (object.kind) {
    case Kind::array:
      return cuda_.cuArrayDestroy(handle_of<CUarray>(object.name));
    case Kind::mipmap:
      return cuda_.cuMipmappedArrayDestroy(handle_of<CUmipmappedArray>(object.name));
    case Kind::stream_ordered:
    case Kind::from_pool:
      return draw(4) == 0 ? cuda_.cuMemFree_v2(object.name) : cuda_.cuMemFreeAsync(object.name, nullptr);
    case Kind::physical: {
      Object mapped = object;
      const CUresult status = mapped.address != 0 ? unmap(mapped) : CUDA_SUCCESS;
      return object.has_handle ? cuda_.cuMemRelease(object.name) : status;
    }
    default:
      return cuda_.cuMemFree_v2(object.name);
  }
}

void Worker::give(std::size_t index) {
  const Object object = objects_[index];
  objects_[index] = objects_.back();
  objects_.pop_back();
  const CUresult status = destroy(object);
  expect(status == CUDA_SUCCESS, "a free failed", static_cast<int>(status));
  shared_.model.fetch_sub(object.bytes);
  count_block(object, false);
}

// Physical memory changes between its three states: handle, handle and mapping, mapping alone.
void Worker::turn(Object& object) {
  if (object.kind != Kind::physical) return;
  if (object.address == 0) {
    CUdeviceptr address = 0;
    cuda_.cuMemAddressReserve(&address, object.bytes, 0, 0, 0);
    const CUresult status = cuda_.cuMemMap(address, object.bytes, 0, object.name, 0);
    expect(status == CUDA_SUCCESS, "cuMemMap failed", static_cast<int>(status));
    object.address = address;
  } else if (object.has_handle) {
    const CUresult status = cuda_.cuMemRelease(object.name);
    expect(status == CUDA_SUCCESS, "cuMemRelease failed", static_cast<int>(status));
    object.has_handle = false;
  } else {
    CUmemGenericAllocationHandle handle = 0;
    const CUresult status = cuda_.cuMemRetainAllocationHandle(&handle, handle_of<void*>(object.address));
    expect(status == CUDA_SUCCESS, "cuMemRetainAllocationHandle failed", static_cast<int>(status));
    object.name = handle;
    object.has_handle = true;
  }
}

// Puts a piece down for another thread, and takes one up.
void Worker::swap_with_table() {
  const std::lock_guard guard(shared_.table_lock);
  if (!shared_.table.empty() && objects_.size() < kMostObjects) {
    const std::size_t index = draw(shared_.table.size());
    objects_.push_back(shared_.table[index]);
    shared_.table[index] = shared_.table.back();
    shared_.table.pop_back();
  }
  if (!objects_.empty() && shared_.table.size() < kMostOnTable && draw(2) == 0) {
    shared_.table.push_back(objects_.back());
    objects_.pop_back();
  }
}

// What a context holds ends with it: nothing of this is left in the model.
void Worker::use_context_of_its_own() {
  CUcontext context = nullptr;
  if (cuda_.cuCtxCreate_v2(&context, 0, shared_.device) != CUDA_SUCCESS) return;
  for (int i = 0; i < 3; ++i) {
    CUdeviceptr pointer = 0;
    cuda_.cuMemAlloc_v2(&pointer, draw(4 * kMiB) + 1);
  }
  const CUresult status = cuda_.cuCtxDestroy_v2(context);
  expect(status == CUDA_SUCCESS, "cuCtxDestroy failed", static_cast<int>(status));
  cuda_.cuCtxSetCurrent(shared_.context);
}

void Worker::ask_for_nonsense() {
  CUdeviceptr pointer = 0;
  expect(cuda_.cuMemAlloc_v2(&pointer, 0) != CUDA_SUCCESS, "an allocation of nothing succeeded", 0);
  expect(cuda_.cuMemAlloc_v2(nullptr, 512) != CUDA_SUCCESS, "an allocation to nowhere succeeded", 0);
  expect(cuda_.cuMemFree_v2(0x123) != CUDA_SUCCESS, "a free of nothing succeeded", 0);
  expect(cuda_.cuMemRelease(0x123) != CUDA_SUCCESS, "a release of nothing succeeded", 0);
}

void Worker::step() {
  const std::uint64_t choice = draw(1000);
  if (choice < 2) return use_context_of_its_own();
  if (choice < 5) return ask_for_nonsense();
  if (choice < 60) return swap_with_table();
  if (choice < 160 && !objects_.empty()) return turn(objects_[draw(objects_.size())]);
  const bool takes = objects_.empty() || (objects_.size() < kMostObjects && draw(2) == 0);
  takes ? take() : give(draw(objects_.size()));
}

}  // namespace hami::property
