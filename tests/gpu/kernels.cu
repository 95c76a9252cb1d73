// The kernels of gpu-load, which reads kernels.ptx: made from this file by make_kernels, so that a node needs no
// toolkit. Each launch has a record of its own: when its first block began and its last one ended, by the card's clock.
struct Record {
  unsigned long long begin;
  unsigned long long end;
};

__device__ unsigned long long card_time() {
  unsigned long long now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  return now;
}

__device__ bool is_first_thread() { return threadIdx.x == 0 && threadIdx.y == 0; }

// Keeps every multiprocessor busy for a time that grows with `rounds`.
extern "C" __global__ void burn(float* out, Record* record, int rounds) {
  if (is_first_thread()) atomicMin(&record->begin, card_time());
  float value = static_cast<float>(threadIdx.x);
  for (int i = 0; i < rounds; ++i) value = fmaf(value, 0.999f, 0.5f);
  if (value < 0) out[0] = value;  // never; but the compiler cannot know
  __syncthreads();
  if (is_first_thread()) atomicMax(&record->end, card_time());
}

// c = a * b, all n by n; n is a multiple of 16.
extern "C" __global__ void matmul(const float* a, const float* b, float* c, Record* record, int n) {
  __shared__ float left[16][16];
  __shared__ float right[16][16];
  if (is_first_thread()) atomicMin(&record->begin, card_time());
  const int column = blockIdx.x * 16 + threadIdx.x;
  const int row = blockIdx.y * 16 + threadIdx.y;
  float sum = 0;
  for (int at = 0; at < n; at += 16) {
    left[threadIdx.y][threadIdx.x] = a[static_cast<long long>(row) * n + at + threadIdx.x];
    right[threadIdx.y][threadIdx.x] = b[static_cast<long long>(at + threadIdx.y) * n + column];
    __syncthreads();
    for (int i = 0; i < 16; ++i) sum = fmaf(left[threadIdx.y][i], right[i][threadIdx.x], sum);
    __syncthreads();
  }
  c[static_cast<long long>(row) * n + column] = sum;
  __syncthreads();
  if (is_first_thread()) atomicMax(&record->end, card_time());
}
