// A program that launches kernels of a known length and says which part of a card's time it got.
//   vgpu-launcher FORM MICROSECONDS SECONDS [DEVICE]
// FORM: a launch function (kernel, kernel_ptsz, ex, ex_ptsz, cooperative, cooperative_ptsz, grid, graph,
// graph_ptsz), or: sync (waits for every launch), threads (four of them, each with its default stream),
// capture (records 100 launches, prints how many ms that took), where (prints for each launch function whose
// it is, as dlsym and as cuGetProcAddress give it). Prints one line "share P": percent of the card's time
// from the first half second on.
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "libvgpu/cuda/types.h"

namespace {

struct Cuda {
#define HAMI_FN(symbol, since, result, params, args) result(*symbol) params;
#define HAMI_FN_DRIVER HAMI_FN
#include "libvgpu/cuda/functions.def"
#define HAMI_FN_DRIVER(symbol, since, result, params, args) result(*symbol) params;
#include "libvgpu/cuda/passthrough.def"
};
Cuda cuda;

void find_functions() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == nullptr) std::abort();
#define HAMI_FN(symbol, since, result, params, args) \
  cuda.symbol = reinterpret_cast<result(*) params>(dlsym(library, #symbol));
#define HAMI_FN_DRIVER HAMI_FN
#include "libvgpu/cuda/functions.def"
#define HAMI_FN_DRIVER(symbol, since, result, params, args) \
  cuda.symbol = reinterpret_cast<result(*) params>(dlsym(library, #symbol));
#include "libvgpu/cuda/passthrough.def"
}

void check(CUresult status, const char* what) {
  if (status == CUDA_SUCCESS) return;
  std::fprintf(stderr, "vgpu-launcher: %s: %d\n", what, static_cast<int>(status));
  std::exit(1);
}

constexpr unsigned kBlocks = 216;  // two for each multiprocessor of the simulated card: a kernel fills it

struct Program {
  std::string form;
  CUfunction function = nullptr;
  CUstream stream = nullptr;
  CUgraphExec graph = nullptr;

  CUresult launch() const {
    CUlaunchConfig config = {};
    config.gridDimX = kBlocks;
    config.gridDimY = config.gridDimZ = config.blockDimX = config.blockDimY = config.blockDimZ = 1;
    config.hStream = stream;
    if (form == "kernel_ptsz" || form == "threads")
      return cuda.cuLaunchKernel_ptsz(function, kBlocks, 1, 1, 1, 1, 1, 0, stream, nullptr, nullptr);
    if (form == "ex") return cuda.cuLaunchKernelEx(&config, function, nullptr, nullptr);
    if (form == "ex_ptsz") return cuda.cuLaunchKernelEx_ptsz(&config, function, nullptr, nullptr);
    if (form == "cooperative")
      return cuda.cuLaunchCooperativeKernel(function, kBlocks, 1, 1, 1, 1, 1, 0, stream, nullptr);
    if (form == "cooperative_ptsz")
      return cuda.cuLaunchCooperativeKernel_ptsz(function, kBlocks, 1, 1, 1, 1, 1, 0, stream, nullptr);
    if (form == "grid") return cuda.cuLaunchGridAsync(function, kBlocks, 1, stream);
    if (form == "graph") return cuda.cuGraphLaunch(graph, stream);
    if (form == "graph_ptsz") return cuda.cuGraphLaunch_ptsz(graph, stream);
    return cuda.cuLaunchKernel(function, kBlocks, 1, 1, 1, 1, 1, 0, stream, nullptr, nullptr);
  }
};

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Two kernels in one graph: it costs what both do.
void make_graph(Program& program) {
  CUgraph graph = nullptr;
  check(cuda.cuStreamBeginCapture_v2(program.stream, CU_STREAM_CAPTURE_MODE_GLOBAL), "capture");
  for (int i = 0; i < 2; ++i)
    check(cuda.cuLaunchKernel(program.function, kBlocks, 1, 1, 1, 1, 1, 0, program.stream, nullptr, nullptr),
          "node");
  check(cuda.cuStreamEndCapture(program.stream, &graph), "end of capture");
  check(cuda.cuGraphInstantiateWithFlags(&program.graph, graph, 0), "instantiate");
}

void print_capture(Program& program) {
  CUgraph graph = nullptr;
  program.launch();  // so that the cost of the kernel is known, and paid
  program.launch();
  const double begin = seconds();
  check(cuda.cuStreamBeginCapture_v2(program.stream, CU_STREAM_CAPTURE_MODE_GLOBAL), "capture");
  for (int i = 0; i < 100; ++i) check(program.launch(), "captured launch");
  check(cuda.cuStreamEndCapture(program.stream, &graph), "end of capture");
  std::printf("captured in %.0f ms\n", (seconds() - begin) * 1e3);
}

// Launches until `end`; returns the card time of what was launched from the first half second on, and when
// counting began.
struct Counted {
  double card = 0;
  double from = 0;
};
Counted launch_until(const Program& program, double kernel, double begin, double end) {
  Counted counted;
  while (seconds() < end) {
    check(program.launch(), "launch");
    if (program.form == "sync") check(cuda.cuStreamSynchronize(program.stream), "synchronise");
    if (counted.from == 0 && seconds() > begin + 0.5) {
      check(cuda.cuCtxSynchronize(), "synchronise");
      counted.from = seconds();
    } else if (counted.from != 0) {
      counted.card += kernel;
    }
  }
  check(cuda.cuCtxSynchronize(), "synchronise");
  return counted;
}

void print_share(const Program& program, double kernel, double length) {
  const double begin = seconds();
  const Counted counted =
      launch_until(program, program.graph != nullptr ? 2 * kernel : kernel, begin, begin + length);
  std::printf("share %.2f\n", 100 * counted.card / (seconds() - counted.from));
}

void print_share_of_threads(const Program& program, double kernel, double length, CUcontext context) {
  const double begin = seconds();
  std::vector<Counted> counted(4);
  std::vector<std::thread> threads;
  for (Counted& one : counted) {
    threads.emplace_back([&] {
      check(cuda.cuCtxSetCurrent(context), "cuCtxSetCurrent");
      one = launch_until(program, kernel, begin, begin + length);
    });
  }
  for (std::thread& thread : threads) thread.join();
  double card = 0;
  double from = seconds();
  for (const Counted& one : counted) {
    card += one.card;
    from = std::min(from, one.from);
  }
  std::printf("share %.2f\n", 100 * card / (seconds() - from));
}

const char* library_of(const void* address) {
  Dl_info info = {};
  if (address == nullptr || dladdr(address, &info) == 0) return "none";
  return std::strstr(info.dli_fname, "libvgpu") != nullptr ? "libvgpu" : "driver";
}

void print_where() {
#define HAMI_FN_LAUNCH(symbol, since, result, params, args) \
  std::printf("dlsym %s %s\n", #symbol, library_of(reinterpret_cast<const void*>(cuda.symbol)));
#include "libvgpu/cuda/functions.def"
  for (const char* name : {"cuLaunchKernel", "cuLaunchKernelEx", "cuLaunchCooperativeKernel"}) {
    for (const std::uint64_t flags : {std::uint64_t{0}, std::uint64_t{2}}) {
      void* found = nullptr;
      CUdriverProcAddressQueryResult status{};
      check(cuda.cuGetProcAddress_v2(name, &found, 12000, flags, &status), name);
      std::printf("procaddr %s %s\n", name, library_of(found));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  find_functions();
  Program program;
  program.form = argv[1];
  CUdevice device = 0;
  CUcontext context = nullptr;
  CUmodule module = nullptr;
  check(cuda.cuInit(0), "cuInit");
  check(cuda.cuDeviceGet(&device, argc > 4 ? std::atoi(argv[4]) : 0), "cuDeviceGet");
  check(cuda.cuDevicePrimaryCtxRetain(&context, device), "context");
  check(cuda.cuCtxSetCurrent(context), "cuCtxSetCurrent");
  check(cuda.cuModuleLoadData(&module, "image"), "module");
  const std::string name = "k_" + std::string(argv[2]) + "_100000";
  check(cuda.cuModuleGetFunction(&program.function, module, name.c_str()), "function");
  check(cuda.cuStreamCreate(&program.stream, 1), "stream");
  if (program.form.rfind("graph", 0) == 0) make_graph(program);
  if (program.form == "where") {
    print_where();
  } else if (program.form == "capture") {
    print_capture(program);
  } else if (program.form == "threads") {
    program.stream = nullptr;
    print_share_of_threads(program, std::atof(argv[2]) * 1e-6, std::atof(argv[3]), context);
  } else {
    print_share(program, std::atof(argv[2]) * 1e-6, std::atof(argv[3]));
  }
  return 0;
}
