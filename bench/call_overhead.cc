// Time per driver call, as a CUDA program sees it. Finds the functions as programs do (dlsym,
// cuGetProcAddress), so the same binary measures the bare driver and, under LD_PRELOAD, what stands in front
// of it.
//
//   call_overhead [--threads N] [--iterations N] [--live N] [--only PREFIX]
//
// One JSON line per call: {"call":"alloc_free","threads":1,"ns":21.3,"p50":20,"p99":31,"p999":50}. "ns" is
// wall time per call and thread; the percentiles are of batches of 16 calls, so the clock does not dominate.
// --only measures the calls whose names begin like that. With --live also
// {"call":"live_allocation","bytes":16.4}: memory of this process that each of them costs.
//
// call_overhead_linked is the same program linked to libcuda.so.1, which says what a linked launch costs.
#include <dlfcn.h>
#include <time.h>

#include <algorithm>
#include <barrier>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Status = int;
using Pointer = std::uint64_t;

constexpr std::size_t kBlock = 64 << 10;
constexpr int kBatch = 16;

struct Options {
  int threads = 1;
  long iterations = 200000;
  long live = 0;               // allocations kept while measuring
  std::string_view only = "";  // beginning of the names of the calls to measure
};

using Launch = Status(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*,
                      void**, void**);
#ifdef HAMI_LINKED_TO_DRIVER
extern "C" Launch cuLaunchKernel;
#endif

// The functions under test, as the program found them.
struct Api {
  Status (*init)(unsigned) = nullptr;
  Status (*retain)(void**, int) = nullptr;
  Status (*set_current)(void*) = nullptr;
  Status (*alloc)(Pointer*, std::size_t) = nullptr;
  Status (*free)(Pointer) = nullptr;
  Status (*mem_info)(std::size_t*, std::size_t*) = nullptr;
  Status (*get_proc)(const char*, void**, int, std::uint64_t, void*) = nullptr;
  Status (*get_device)(int*) = nullptr;
  Status (*load_module)(void**, const void*) = nullptr;
  Status (*get_function)(void**, void*, const char*) = nullptr;
  Launch* launch = nullptr;
  Launch* launch_by_query = nullptr;
  Status (*nvml_init)() = nullptr;
  Status (*nvml_handle)(unsigned, void**) = nullptr;
  Status (*nvml_memory)(void*, void*) = nullptr;
};

template <typename Function>
void find(void* library, const char* name, Function& out) {
  void* symbol = dlsym(library, name);
  static_assert(sizeof symbol == sizeof out);
  std::memcpy(&out, &symbol, sizeof symbol);
}

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "call_overhead: %s\n", what);
  std::exit(1);
}

Api load() {
  Api api;
  void* cuda = dlopen("libcuda.so.1", RTLD_NOW);
  if (cuda == nullptr) die(dlerror());
  find(cuda, "cuInit", api.init);
  find(cuda, "cuDevicePrimaryCtxRetain", api.retain);
  find(cuda, "cuCtxSetCurrent", api.set_current);
  find(cuda, "cuMemAlloc_v2", api.alloc);
  find(cuda, "cuMemFree_v2", api.free);
  find(cuda, "cuMemGetInfo_v2", api.mem_info);
  find(cuda, "cuGetProcAddress_v2", api.get_proc);
  find(cuda, "cuCtxGetDevice", api.get_device);
  find(cuda, "cuModuleLoadData", api.load_module);
  find(cuda, "cuModuleGetFunction", api.get_function);
  find(cuda, "cuLaunchKernel", api.launch);
  void* launch = nullptr;
  if (api.get_proc != nullptr && api.get_proc("cuLaunchKernel", &launch, 4000, 0, nullptr) == 0)
    std::memcpy(&api.launch_by_query, &launch, sizeof launch);
  void* nvml = dlopen("libnvidia-ml.so.1", RTLD_NOW);
  if (nvml != nullptr) {
    find(nvml, "nvmlInit_v2", api.nvml_init);
    find(nvml, "nvmlDeviceGetHandleByIndex_v2", api.nvml_handle);
    find(nvml, "nvmlDeviceGetMemoryInfo", api.nvml_memory);
  }
  return api;
}

double now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// Runs `call` on every thread and prints its figures. `call` returns false when the driver refused.
template <typename Call>
void measure(const char* name, const Options& options, const Api& api, void* context, Call call) {
  if (!std::string_view(name).starts_with(options.only)) return;
  std::barrier start(options.threads);
  std::vector<std::vector<float>> batches(static_cast<std::size_t>(options.threads));
  std::vector<double> wall(static_cast<std::size_t>(options.threads));
  const auto body = [&](std::size_t index) {
    api.set_current(context);
    for (int i = 0; i < 1000; ++i) call();  // warm up
    start.arrive_and_wait();
    auto& mine = batches[index];
    mine.reserve(static_cast<std::size_t>(options.iterations / kBatch));
    const double begin = now_ns();
    double last = begin;
    for (long i = 0; i < options.iterations / kBatch; ++i) {
      for (int k = 0; k < kBatch; ++k) {
        if (!call()) die(name);
      }
      const double now = now_ns();
      mine.push_back(static_cast<float>((now - last) / kBatch));
      last = now;
    }
    wall[index] = (last - begin) / static_cast<double>(options.iterations);
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < options.threads; ++i) threads.emplace_back(body, static_cast<std::size_t>(i));
  for (auto& thread : threads) thread.join();

  std::vector<float> all;
  for (const auto& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  std::sort(all.begin(), all.end());
  const auto at = [&all](double p) {
    return static_cast<double>(all[static_cast<std::size_t>(p * static_cast<double>(all.size() - 1))]);
  };
  double mean = 0;
  for (const double value : wall) mean += value / static_cast<double>(wall.size());
  std::printf("{\"call\":\"%s\",\"threads\":%d,\"ns\":%.2f,\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f}\n", name,
              options.threads, mean, at(0.5), at(0.99), at(0.999));
  std::fflush(stdout);
}

// Resident memory of this process, in bytes.
long resident() {
  FILE* file = std::fopen("/proc/self/statm", "re");
  long pages = 0;
  if (file != nullptr && std::fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
  if (file != nullptr) std::fclose(file);
  return pages * 4096;
}

void measure_launches(const Options& options, const Api& api, void* context) {
  void* module = nullptr;
  void* function = nullptr;
  if (api.load_module(&module, "image") != 0 || api.get_function(&function, module, "k_0_1") != 0) return;
  const auto run = [&](const char* name, Launch* launch) {
    if (launch == nullptr) return;
    measure(name, options, api, context, [launch, function] {
      return launch(function, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr) == 0;
    });
  };
#ifdef HAMI_LINKED_TO_DRIVER
  measure("launch_linked", options, api, context, [function] {
    return cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr) == 0;
  });
#endif
  run("launch_dlsym", api.launch);
  run("launch_get_proc_address", api.launch_by_query);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--only") {
      options.only = argv[i + 1];
      continue;
    }
    const long value = std::atol(argv[i + 1]);
    if (value < 0) die("numbers must not be negative");
    if (name == "--threads") options.threads = static_cast<int>(std::max(1L, value));
    if (name == "--iterations") options.iterations = std::max(static_cast<long>(kBatch), value);
    if (name == "--live") options.live = value;
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  const Api api = load();
  if (api.init == nullptr || api.init(0) != 0) die("cuInit failed");
  void* context = nullptr;
  if (api.retain(&context, 0) != 0 || api.set_current(context) != 0) die("no context");
  const long before = resident();
  for (long i = 0; i < options.live; ++i) {
    Pointer pointer = 0;
    if (api.alloc(&pointer, 512) != 0) die("the live allocations do not fit");
  }
  if (options.live > 0) {
    std::printf("{\"call\":\"live_allocation\",\"bytes\":%.1f}\n",
                static_cast<double>(resident() - before) / static_cast<double>(options.live));
  }

  measure("alloc_free", options, api, context, [&api] {
    Pointer pointer = 0;
    return api.alloc(&pointer, kBlock) == 0 && api.free(pointer) == 0;
  });
  measure("mem_get_info", options, api, context, [&api] {
    std::size_t free = 0;
    std::size_t total = 0;
    return api.mem_info(&free, &total) == 0;
  });
  if (api.get_proc != nullptr) {
    measure("get_proc_address_hooked", options, api, context, [&api] {
      void* function = nullptr;
      return api.get_proc("cuMemAlloc", &function, 12000, 0, nullptr) == 0;
    });
    measure("get_proc_address_other", options, api, context, [&api] {
      void* function = nullptr;
      return api.get_proc("cuCtxGetDevice", &function, 12000, 0, nullptr) == 0;
    });
  }
  measure("ctx_get_device", options, api, context, [&api] {
    int device = 0;
    return api.get_device(&device) == 0;
  });
  measure_launches(options, api, context);
  void* handle = nullptr;
  if (api.nvml_init != nullptr && api.nvml_init() == 0 && api.nvml_handle(0, &handle) == 0) {
    Options fewer = options;  // a query of the management library takes many times as long as the others
    fewer.iterations = std::max(static_cast<long>(kBatch), options.iterations / 20);
    measure("nvml_memory_info", fewer, api, context, [&api, handle] {
      std::uint64_t memory[3];
      return api.nvml_memory(handle, memory) == 0;
    });
  }
  return 0;
}
