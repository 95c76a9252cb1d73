// gpu-load KERNELS KIND SECONDS [ROUNDS COST]: keeps the card busy, and says which part of its time it got.
//   KIND: burn:US     kernels of US microseconds that fill the card
//         graph:US    graphs of ten of them
//         matmul:N    products of N by N matrices
// Without ROUNDS and COST it measures them: "rounds R cost NANOSECONDS" of one launch alone, by the card's
// own clock. With them it prints a line "window SECONDS PERCENT" twice a second, and "share PERCENT" for all
// after the first second: launches that ended times COST, by the time that passed. The clock of the card
// itself would also count the time in which another tenant has it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/gpu/cuda.h"

namespace hami::gpu {
namespace {

constexpr unsigned kThreads = 256;
constexpr int kNodes = 10;
constexpr double kWindow = 0.5;    // seconds
constexpr double kSettled = 1.0;   // seconds until the share counts
constexpr double kBatchNs = 10e6;  // of launches between two waits

struct Record {
  std::uint64_t begin = ~std::uint64_t{0};
  std::uint64_t end = 0;
};

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class Load {
 public:
  Load(CUdevice device, const char* kernels, const std::string& kind);
  CUresult launch() const;
  void set_rounds(int rounds);
  // Nanoseconds of a launch of the kernel, by the card's clock, in the best of a few.
  double kernel_ns();
  int kernels_of_launch() const { return graph_ != nullptr || is_graph_ ? kNodes : 1; }
  bool has_rounds() const { return !is_matmul_ && !is_simulated_; }
  double wanted_ns() const { return wanted_us_ * 1e3; }

 private:
  CUresult launch_kernel() const;
  void make_graph();

  bool is_matmul_ = false;
  bool is_graph_ = false;
  bool is_simulated_ = false;  // the driver has kernels of any length by name, and no clock
  double wanted_us_ = 0;
  int size_ = 0;
  int rounds_ = 1000;
  unsigned blocks_ = 1;
  CUfunction function_ = nullptr;
  CUstream stream_ = nullptr;
  CUgraphExec graph_ = nullptr;
  CUdeviceptr matrices_[3] = {};
  CUdeviceptr record_ = 0;
};

Load::Load(CUdevice device, const char* kernels, const std::string& kind)
    : is_matmul_(kind.rfind("matmul:", 0) == 0), is_graph_(kind.rfind("graph:", 0) == 0) {
  const double number = std::atof(kind.c_str() + kind.find(':') + 1);
  (is_matmul_ ? size_ : rounds_) = is_matmul_ ? static_cast<int>(number) : rounds_;
  wanted_us_ = is_matmul_ ? 1000 : number;
  int multiprocessors = 0;
  CUmodule module = nullptr;
  must(cuda.cuModuleLoad(&module, kernels), "cuModuleLoad");
  must(cuda.cuDeviceGetAttribute(&multiprocessors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device),
       "attribute");
  must(cuda.cuStreamCreate(&stream_, 1), "cuStreamCreate");
  blocks_ = 2 * static_cast<unsigned>(multiprocessors);
  const std::string simulated = "k_" + std::to_string(static_cast<int>(wanted_us_)) + "_100000";
  is_simulated_ = cuda.cuModuleGetFunction(&function_, module, simulated.c_str()) == CUDA_SUCCESS;
  if (!is_simulated_)
    must(cuda.cuModuleGetFunction(&function_, module, is_matmul_ ? "matmul" : "burn"), "cuModuleGetFunction");
  const std::size_t bytes =
      is_matmul_ ? sizeof(float) * static_cast<std::size_t>(size_) * static_cast<std::size_t>(size_)
                 : sizeof(float);
  for (CUdeviceptr& matrix : matrices_) {
    must(cuda.cuMemAlloc_v2(&matrix, bytes), "cuMemAlloc");
    must(cuda.cuMemsetD8_v2(matrix, 0, bytes), "cuMemsetD8");
  }
  must(cuda.cuMemAlloc_v2(&record_, sizeof(Record)), "cuMemAlloc");
}

CUresult Load::launch_kernel() const {
  auto* self = const_cast<Load*>(this);  // the driver reads what it is given
  void* burn[] = {&self->matrices_[0], &self->record_, &self->rounds_};
  void* matmul[] = {&self->matrices_[0], &self->matrices_[1], &self->matrices_[2], &self->record_,
                    &self->size_};
  const auto tiles = static_cast<unsigned>(size_ / 16);
  if (is_matmul_ && !is_simulated_)
    return cuda.cuLaunchKernel(function_, tiles, tiles, 1, 16, 16, 1, 0, stream_, matmul, nullptr);
  return cuda.cuLaunchKernel(function_, blocks_, 1, 1, kThreads, 1, 1, 0, stream_, burn, nullptr);
}

CUresult Load::launch() const {
  return graph_ != nullptr ? cuda.cuGraphLaunch(graph_, stream_) : launch_kernel();
}

void Load::make_graph() {
  CUgraph graph = nullptr;
  must(cuda.cuStreamBeginCapture_v2(stream_, CU_STREAM_CAPTURE_MODE_GLOBAL), "capture");
  for (int i = 0; i < kNodes; ++i) must(launch_kernel(), "node");
  must(cuda.cuStreamEndCapture(stream_, &graph), "end of capture");
  must(cuda.cuGraphInstantiateWithFlags(&graph_, graph, 0), "cuGraphInstantiate");
}

void Load::set_rounds(int rounds) {
  rounds_ = rounds;
  if (is_graph_) make_graph();
}

double Load::kernel_ns() {
  if (is_simulated_) return wanted_ns();
  double best = 1e18;
  for (int i = 0; i < 10; ++i) {
    Record record;
    must(cuda.cuMemcpyHtoD_v2(record_, &record, sizeof record), "cuMemcpyHtoD");
    must(launch_kernel(), "launch");
    must(cuda.cuStreamSynchronize(stream_), "cuStreamSynchronize");
    must(cuda.cuMemcpyDtoH_v2(&record, record_, sizeof record), "cuMemcpyDtoH");
    best = std::min(best, static_cast<double>(record.end - record.begin));
  }
  return best;
}

void measure(Load& load) {
  int rounds = 1000;
  double cost = load.kernel_ns();
  // Twice: the time of a short kernel is not all rounds.
  for (int i = 0; i < 2 && load.has_rounds(); ++i) {
    rounds = static_cast<int>(std::max(1.0, rounds * load.wanted_ns() / std::max(1.0, cost)));
    load.set_rounds(rounds);
    cost = load.kernel_ns();
  }
  std::printf("rounds %d cost %.0f\n", rounds, cost * load.kernels_of_launch());
}

double launch_batch(const Load& load, double cost) {
  const double count = std::max(1.0, kBatchNs / cost);
  int launched = 0;
  for (; launched < count; ++launched) must(load.launch(), "launch");
  must(cuda.cuCtxSynchronize(), "cuCtxSynchronize");
  return launched * cost / 1e9;
}

void keep_busy(const Load& load, double length, double cost) {
  const double begin = seconds();
  double counted_from = 0;
  double counted = 0;
  double window_from = begin;
  double window = 0;
  for (double now = begin; now < begin + length;) {
    const double done = launch_batch(load, cost);
    now = seconds();
    window += done;
    if (now - window_from >= kWindow) {
      std::printf("window %.2f %.1f\n", now - begin, 100 * window / (now - window_from));
      window = 0;
      window_from = now;
    }
    if (counted_from != 0) counted += done;
    if (counted_from == 0 && now - begin >= kSettled) counted_from = now;
  }
  std::printf("share %.1f\n", 100 * counted / std::max(1e-9, seconds() - counted_from));
}

}  // namespace
}  // namespace hami::gpu

int main(int argc, char** argv) {
  using namespace hami::gpu;
  if ((argc != 4 && argc != 6) || std::strchr(argv[2], ':') == nullptr) {
    std::fprintf(stderr, "usage: gpu-load KERNELS burn:US|graph:US|matmul:N SECONDS [ROUNDS COST]\n");
    return 2;
  }
  Load load(start(), argv[1], argv[2]);
  if (argc == 4) {
    measure(load);
  } else {
    load.set_rounds(std::atoi(argv[4]));
    keep_busy(load, std::atof(argv[3]), std::atof(argv[5]));
  }
  return exit_status();
}
