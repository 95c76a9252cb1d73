// Asks for every function of the driver in every way and version, and says by name what it got. The same with
// and without libvgpu.so in front of the driver: what differs is where the answers lie, and that only for
// those it holds.
//   vgpu-lookup             one line per query
//   vgpu-lookup --held      the names among them that lie in libvgpu.so
#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <set>
#include <string>

#include "libvgpu/cuda/types.h"

namespace {

struct Row {
  const char* symbol;
  int since;
};
constexpr Row kRows[] = {
#define SIM_FN(symbol, since, result, params, args) {#symbol, since},
#include "tests/simdriver/cuda/all_functions.def"
};

using Newer = CUresult (*)(const char*, void**, int, std::uint64_t, CUdriverProcAddressQueryResult*);
using Older = CUresult (*)(const char*, void**, int, std::uint64_t);

bool only_held = false;
std::set<std::string> held;

// The name of the function at an address, whichever library it lies in.
std::string name_of(void* address) {
  Dl_info where = {};
  if (address == nullptr) return "nothing";
  if (dladdr(address, &where) == 0 || where.dli_sname == nullptr) return "?";
  if (std::strstr(where.dli_fname, "libvgpu.so") != nullptr) held.insert(where.dli_sname);
  return where.dli_saddr == address ? where.dli_sname : std::string(where.dli_sname) + " and some bytes";
}

void tell(const std::string& query, int status, void* address, int found) {
  const std::string name = name_of(address);
  if (!only_held) std::printf("%s: %d %s %d\n", query.c_str(), status, name.c_str(), found);
}

std::string base_of(std::string symbol) {
  for (const char* end : {"_ptsz", "_ptds", "_v2", "_v3", "_v4"}) {
    const std::size_t size = std::strlen(end);
    if (symbol.size() > size && symbol.compare(symbol.size() - size, size, end) == 0)
      symbol.resize(symbol.size() - size);
  }
  return symbol;
}

void ask(Newer newer, Older older, const std::string& base, int version, std::uint64_t flags) {
  const std::string query = "'" + base + "' " + std::to_string(version) + " " + std::to_string(flags);
  void* address = nullptr;
  auto found = CUdriverProcAddressQueryResult{-1};
  CUresult status = newer(base.c_str(), &address, version, flags, &found);
  tell(query + " newer", static_cast<int>(status), address, static_cast<int>(found));
  address = nullptr;
  status = newer(base.c_str(), &address, version, flags, nullptr);
  tell(query + " without status", static_cast<int>(status), address, 0);
  address = nullptr;
  status = older(base.c_str(), &address, version, flags);
  tell(query + " older", static_cast<int>(status), address, 0);
}

void ask_everything(Newer newer, Older older) {
  std::set<int> versions = {0, 1000, 13010, 14000, 99000};
  std::set<std::string> bases = {
      "", "cuNoSuchFunction", "cuMemAlloc_v2", "cuMemAlloc_v2_ptds", "nvmlInit", "printf"};
  for (const Row& row : kRows) {
    versions.insert(row.since);
    bases.insert(base_of(row.symbol));
  }
  for (const std::string& base : bases) {
    for (const int version : versions) {
      for (const std::uint64_t flags : {0U, 1U, 2U, 3U, 77U}) ask(newer, older, base, version, flags);
    }
  }
}

template <typename Function>
Function as(void* address) {
  return reinterpret_cast<Function>(address);
}

}  // namespace

int main(int argc, char** argv) {
  only_held = argc == 2 && std::strcmp(argv[1], "--held") == 0;
  void* library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == nullptr) return 2;
  for (const Row& row : kRows) tell(std::string("dlsym ") + row.symbol, 0, dlsym(library, row.symbol), 0);
  tell("dlsym of what is not there", 0, dlsym(library, "cuNoSuchFunction"), 0);
  const auto newer = as<Newer>(dlsym(library, "cuGetProcAddress_v2"));
  ask_everything(newer, as<Older>(dlsym(library, "cuGetProcAddress")));
  // And as the run time does it: the query function itself by query.
  void* again = nullptr;
  void* again_older = nullptr;
  newer("cuGetProcAddress", &again, 12000, 0, nullptr);
  newer("cuGetProcAddress", &again_older, 11030, 0, nullptr);
  if (again != nullptr && again_older != nullptr)  // a driver before 12.0 has no newer form
    ask(as<Newer>(again), as<Older>(again_older), "cuMemAlloc", 3020, 0);
  for (const std::string& name : held) {
    if (only_held) std::printf("%s\n", name.c_str());
  }
  return 0;
}
