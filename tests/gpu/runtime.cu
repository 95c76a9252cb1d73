// gpu-runtime: a program with the CUDA run time inside, as nvcc makes it. It takes the slice's memory through the run
// time's own functions, computes, and is refused at the limit; see cuda.h for the lines that it prints.
#include <cuda_runtime.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20U;
int failures = 0;

void expect(bool is_good, const char* what) {
  std::printf("%s %s\n", is_good ? "ok" : "not ok", what);
  if (!is_good) ++failures;
}

void must(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  std::printf("not ok %s: %s\n", what, cudaGetErrorName(status));
  std::exit(1);
}

void checkpoint(const char* name) {
  std::size_t free = 0;
  std::size_t total = 0;
  must(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  std::printf("at %s %zu %zu\n", name, total - free, total);
  char word = 0;
  if (std::getenv("GPU_SUITE_JUDGED") != nullptr && read(STDIN_FILENO, &word, 1) != 1) std::exit(1);
}

__global__ void add(int* numbers, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) numbers[i] += i;
}

// Adds on the card, and looks at every sum.
bool computes(int* memory, cudaStream_t stream) {
  constexpr int kCount = 4096;
  std::vector<int> numbers(kCount, 7);
  const std::size_t bytes = numbers.size() * sizeof(int);
  must(cudaMemcpyAsync(memory, numbers.data(), bytes, cudaMemcpyHostToDevice, stream), "cudaMemcpyAsync");
  add<<<kCount / 256, 256, 0, stream>>>(memory, kCount);
  must(cudaGetLastError(), "launch");
  must(cudaMemcpyAsync(numbers.data(), memory, bytes, cudaMemcpyDeviceToHost, stream), "cudaMemcpyAsync");
  must(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  for (int i = 0; i < kCount; ++i) {
    if (numbers[static_cast<std::size_t>(i)] != 7 + i) return false;
  }
  return true;
}

// Takes memory through `take(pointer, bytes)` until the smallest piece is refused, the largest first.
template <typename Take>
std::vector<void*> take_all(Take take) {
  std::vector<void*> pieces;
  for (std::size_t bytes = std::size_t{1} << 34U; bytes >= 2 * kMiB; bytes /= 2) {
    for (void* piece = nullptr; take(&piece, bytes) == cudaSuccess;) pieces.push_back(piece);
    expect(cudaGetLastError() == cudaErrorMemoryAllocation, "refused with cudaErrorMemoryAllocation");
  }
  return pieces;
}

void plain_memory() {
  const std::vector<void*> pieces = take_all([](void** piece, std::size_t bytes) { return cudaMalloc(piece, bytes); });
  checkpoint("cudaMalloc");
  for (void* piece : pieces) must(cudaFree(piece), "cudaFree");
}

void pooled_memory(cudaStream_t stream) {
  const std::vector<void*> pieces = take_all(
      [stream](void** piece, std::size_t bytes) { return cudaMallocAsync(piece, bytes, stream); });
  must(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  checkpoint("cudaMallocAsync");
  for (void* piece : pieces) must(cudaFreeAsync(piece, stream), "cudaFreeAsync");
  must(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
}

}  // namespace

int main() {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  void* memory = nullptr;
  cudaStream_t stream = nullptr;
  cudaDeviceProp properties = {};
  std::size_t free = 0;
  std::size_t total = 0;
  must(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  must(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  expect(properties.totalGlobalMem == total, "the device's properties name the slice's memory");
  must(cudaMalloc(&memory, kMiB), "cudaMalloc");
  must(cudaStreamCreate(&stream), "cudaStreamCreate");
  expect(computes(static_cast<int*>(memory), stream), "a kernel computes on a stream of its own");
  expect(computes(static_cast<int*>(memory), cudaStreamPerThread), "and on the thread's");
  checkpoint("start");
  plain_memory();
  pooled_memory(stream);
  must(cudaFree(memory), "cudaFree");
  checkpoint("end");
  return failures == 0 ? 0 : 1;
}
