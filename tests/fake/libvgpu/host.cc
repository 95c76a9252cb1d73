// A program that loads plugins into name spaces of their own.
//   vgpu-host PLUGIN STEP...; a line per step
//     take MIB, find MIB    the latest plugin takes memory, by its own link or by a look-up: the status
//     hand MIB              we take memory by the function that we look up in the plugin's driver
//     main MIB              we take memory of our own
//     total                 what the latest plugin sees as the card
//     open, close           a plugin in one more name space, and its end
//     again N               a plugin opened and closed N times: how often that worked
//     missing               one whose file is not there: what the loader says
//     fork MIB              the latest plugin takes memory in a child: its status
//     wait                  for a signal
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

using Take = int (*)(unsigned);
using Alloc = int (*)(unsigned long long*, std::size_t);
using Total = int (*)();

const char* g_path = nullptr;
void* g_plugin = nullptr;

template <typename Function>
Function find(void* handle, const char* symbol) {
  return reinterpret_cast<Function>(dlsym(handle, symbol));
}

void* open_plugin(const char* path) { return dlmopen(LM_ID_NEWLM, path, RTLD_NOW); }

int ask(const char* function, const char* mib) {
  const auto take = find<Take>(g_plugin, function);
  return take != nullptr ? take(static_cast<unsigned>(std::atoi(mib))) : -2;
}

int take_of(void* driver, const char* mib) {
  const auto alloc = find<Alloc>(driver, "cuMemAlloc_v2");
  unsigned long long pointer = 0;
  return alloc != nullptr ? alloc(&pointer, std::size_t(std::atoi(mib)) << 20U) : -2;
}

int take_in_main(const char* mib) {
  void* driver = dlopen("libcuda.so.1", RTLD_NOW);
  void* context = nullptr;
  find<int (*)(unsigned)>(driver, "cuInit")(0);
  find<int (*)(void**, int)>(driver, "cuDevicePrimaryCtxRetain")(&context, 0);
  find<int (*)(void*)>(driver, "cuCtxSetCurrent")(context);
  return take_of(driver, mib);
}

int take_in_child(const char* mib) {
  const pid_t pid = fork();
  if (pid == 0) _exit(ask("plugin_take", mib) & 255);
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int open_again(int times) {
  int worked = 0;
  for (int i = 0; i < times; ++i) {
    void* plugin = open_plugin(g_path);
    if (plugin != nullptr && dlclose(plugin) == 0) ++worked;
  }
  return worked;
}

int step(const std::string& what, const char* value) {
  if (what == "open") g_plugin = open_plugin(g_path);
  if (what == "open") return g_plugin != nullptr ? 0 : -1;
  if (what == "close") return dlclose(g_plugin);
  if (what == "take") return ask("plugin_take", value);
  if (what == "find") return ask("plugin_find_and_take", value);
  if (what == "hand") return take_of(g_plugin, value);
  if (what == "main") return take_in_main(value);
  if (what == "total") return find<Total>(g_plugin, "plugin_total")();
  if (what == "again") return open_again(std::atoi(value));
  if (what == "fork") return take_in_child(value);
  if (what == "missing") {
    open_plugin("/nonexistent/plugin.so");
    std::printf("%s\n", dlerror());
  }
  if (what == "wait") return pause();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  g_path = argv[1];
  for (int i = 2; i < argc; ++i) {
    const std::string what = argv[i];
    const bool has_value = i + 1 < argc && argv[i + 1][0] >= '0' && argv[i + 1][0] <= '9';
    const char* value = has_value ? argv[++i] : "";
    const int answer = step(what, value);
    std::printf("%s%s%s: %d\n", what.c_str(), has_value ? " " : "", value, answer);
    std::fflush(stdout);
  }
  return 0;
}
