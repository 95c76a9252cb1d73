// A program that takes memory and then ends, or multiplies, in an unusual way.
//   vgpu-guest WAY; "ok" on stdout when what it saw on the way was right
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "libvgpu/cuda/types.h"

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20U;

struct Cuda {
  CUresult (*init)(unsigned);
  CUresult (*retain)(CUcontext*, CUdevice);
  CUresult (*set_current)(CUcontext);
  CUresult (*alloc)(CUdeviceptr*, std::size_t);
  CUresult (*release)(CUdeviceptr);
  CUresult (*info)(std::size_t*, std::size_t*);
};
Cuda cuda;
CUcontext context;

template <typename Function>
void find(void* library, const char* name, Function& out) {
  void* address = dlsym(library, name);
  std::memcpy(&out, &address, sizeof address);
}

bool start() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == nullptr) return false;
  find(library, "cuInit", cuda.init);
  find(library, "cuDevicePrimaryCtxRetain", cuda.retain);
  find(library, "cuCtxSetCurrent", cuda.set_current);
  find(library, "cuMemAlloc_v2", cuda.alloc);
  find(library, "cuMemFree_v2", cuda.release);
  find(library, "cuMemGetInfo_v2", cuda.info);
  return cuda.init(0) == CUDA_SUCCESS && cuda.retain(&context, 0) == CUDA_SUCCESS &&
         cuda.set_current(context) == CUDA_SUCCESS;
}

bool take(std::size_t mib) {
  CUdeviceptr pointer = 0;
  return cuda.alloc(&pointer, mib * kMiB) == CUDA_SUCCESS;
}

void say(bool right) {
  std::puts(right ? "ok" : "WRONG");
  std::fflush(stdout);
}

bool g_calls_at_the_end = false;

// Lives longer than main().
struct Late {
  ~Late() {
    CUdeviceptr pointer = 0;
    if (g_calls_at_the_end)
      say(cuda.alloc(&pointer, kMiB) == CUDA_SUCCESS && cuda.release(pointer) == CUDA_SUCCESS);
  }
};
Late g_late;

int exit_status(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void exit_in_thread() {
  say(true);
  std::thread([] { std::exit(0); }).join();
}

void quick_exit_way() {
  say(true);
  _exit(0);
}

void late_destructor() { g_calls_at_the_end = true; }

// A child that only looks, one that becomes another program, and one that shares our memory until it does.
void children() {
  const pid_t looker = fork();
  if (looker == 0) _exit(0);
  bool right = exit_status(looker) == 0;
  const pid_t other = fork();
  if (other == 0) execl("/bin/true", "true", nullptr);
  right = exit_status(other) == 0 && right;
  pid_t spawned = 0;  // shares our memory until it is another program
  char name[] = "true";
  char* words[] = {name, nullptr};
  right = posix_spawn(&spawned, "/bin/true", nullptr, nullptr, words, environ) == 0 &&
          exit_status(spawned) == 0 && right;
  std::thread([&right] {
    const pid_t pid = fork();
    if (pid == 0) _exit(0);
    right = exit_status(pid) == 0 && right;
  }).join();
  std::size_t free = 0;
  std::size_t total = 0;
  right = cuda.info(&free, &total) == CUDA_SUCCESS && free <= total - 100 * kMiB && right;
  say(right && take(1));
}

std::size_t free_bytes() {
  std::size_t free = 0;
  std::size_t total = 0;
  return cuda.info(&free, &total) == CUDA_SUCCESS ? free : 0;
}

// Children that no handler of fork() hears of.
void strange_children() {
  const std::size_t before = free_bytes();
  const pid_t borrower = vfork();
  if (borrower == 0) {
    execl("/bin/true", "true", nullptr);
    _exit(1);
  }
  bool right = exit_status(borrower) == 0;
  // No signal tells of its end, and no handler of ours ran before its start.
  const auto silent = static_cast<pid_t>(syscall(SYS_clone, 0, nullptr, nullptr, nullptr, 0));
  if (silent == 0) syscall(SYS_exit_group, 0);
  int status = 0;
  right = waitpid(silent, &status, __WALL) == silent && status == 0 && right;
  say(right && free_bytes() == before && take(1));
}

// `count` threads that allocate and free until `end` says so.
std::vector<std::thread> allocating(unsigned count, const std::atomic<bool>& end, std::atomic<bool>& right) {
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < count; ++i) {
    threads.emplace_back([&end, &right, i] {
      right = cuda.set_current(context) == CUDA_SUCCESS && right;
      for (unsigned round = 0; round < 100 || !end; ++round) {
        CUdeviceptr pointer = 0;
        if (cuda.alloc(&pointer, (1 + (i + round) % 8) * kMiB) == CUDA_SUCCESS)
          right = cuda.release(pointer) == CUDA_SUCCESS && right;
      }
    });
  }
  return threads;
}

void fork_while_allocating() {
  const std::size_t before = free_bytes();
  std::atomic<bool> end = false;
  std::atomic<bool> right = true;
  auto threads = allocating(4, end, right);
  for (int i = 0; i < 20; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      if (i % 2 == 0) execl("/bin/true", "true", nullptr);
      _exit(0);
    }
    right = exit_status(child) == 0 && right;
  }
  end = true;
  for (std::thread& thread : threads) thread.join();
  say(right && free_bytes() == before);
}

void many_threads() {
  const std::size_t before = free_bytes();
  const std::atomic<bool> end = true;
  std::atomic<bool> right = true;
  for (std::thread& thread : allocating(64, end, right)) thread.join();
  say(right && free_bytes() == before);
}

// Starts CUDA only after it has become a daemon that keeps no descriptor but its output.
void daemonise() {
  const pid_t first = fork();
  if (first != 0) {
    if (exit_status(first) != 0) say(false);
    return;
  }
  setsid();
  const pid_t second = fork();
  if (second != 0) _exit(exit_status(second));
  if (chdir("/") != 0) _exit(1);
  for (int fd = 3; fd < 4096; ++fd) close(fd);
  say(start() && take(100) && !take(5000) && free_bytes() != 0);
  _exit(0);
}

void daemon_way() {
  for (int fd = 3; fd < 4096; ++fd) close(fd);
  say(take(1));
}

// errno, the mask of new files and the signals are the program's.
void manners() {
  const mode_t mask = umask(027);
  errno = 1234;
  const bool refused = !take(5000);
  const bool kept_errno = errno == 1234;
  const bool kept_mask = umask(mask) == 027;
  struct sigaction action = {};
  bool untouched = true;
  for (const int signal : {SIGUSR1, SIGUSR2, SIGSEGV, SIGTERM}) {
    sigaction(signal, nullptr, &action);
    untouched = untouched && action.sa_handler == SIG_DFL;
  }
  say(refused && kept_errno && kept_mask && untouched);
}

struct Way {
  const char* name;
  void (*run)();
};
constexpr Way kWays[] = {{"exit_in_thread", exit_in_thread},
                         {"quick_exit", quick_exit_way},
                         {"late_destructor", late_destructor},
                         {"children", children},
                         {"strange_children", strange_children},
                         {"fork_while_allocating", fork_while_allocating},
                         {"many_threads", many_threads},
                         {"daemon", daemon_way},
                         {"manners", manners}};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "daemonise") == 0) return daemonise(), 0;
  if (argc != 2 || !start() || !take(100)) return 2;
  for (const Way& way : kWays) {
    if (std::strcmp(argv[1], way.name) == 0) return way.run(), 0;
  }
  if (std::strcmp(argv[1], "abort") == 0) std::abort();
  return 2;
}
