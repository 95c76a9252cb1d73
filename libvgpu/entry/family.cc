#include "libvgpu/entry/family.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>

#include "libvgpu/abi/usage.h"
#include "libvgpu/core/log.h"
#include "libvgpu/core/process.h"
#include "libvgpu/entry/elf_symbols.h"
#include "libvgpu/export.h"

extern "C" {
constinit void* hami_real_dlmopen = nullptr;
}

namespace hami::vgpu {
namespace {

constexpr unsigned kCopies = 16;  // the loader has as many name spaces
constexpr std::uint64_t kSettledMs = 10'000;

// One copy, as the others see it. All live as long as the process.
struct Copy {
  HamiAnswer (*replace)(const char* symbol, void* address) noexcept;
  void (*forget)() noexcept;
  Lmid_t name_space;
  unsigned objects;  // in its name space when nothing else is there
  // When (CLOCK_MONOTONIC) and to which thread it was given: what that one loads may not be there yet.
  std::uint64_t given_at_ms;
  long given_to;
};

// Kept by the first copy. Its layout is what `size` and `page_version` stand for: a copy of another build
// does not join.
struct Family {
  unsigned size;
  unsigned page_version;
  Process* first;
  HamiAnswer (*replace)(const char* symbol, void* address) noexcept;
  void (*forget)() noexcept;
  SpinLock lock;
  std::atomic<unsigned> count;
  Copy copies[kCopies];
};

constinit Family g_own_family = {};
constinit std::atomic<Family*> g_family{nullptr};

std::uint64_t now_ms() noexcept {
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

// Called for another copy: an address that is in none of our name space's objects is not ours to answer for.
HamiAnswer replace_here(const char* symbol, void* address) noexcept {
  if (LoadedObject::at(address).path() == nullptr) return {nullptr, 0};
  return replace_found(symbol, address);
}

Family& family() noexcept {
  Family* known = g_family.load(std::memory_order_acquire);
  if (known != nullptr) return *known;
  const LockGuard guard(g_own_family.lock);
  g_own_family.size = sizeof(Family) + sizeof(Process);
  g_own_family.page_version = abi::kUsageVersion;
  g_own_family.first = &g_process;
  g_own_family.replace = replace_here;
  g_own_family.forget = forget_process;
  g_family.store(&g_own_family, std::memory_order_release);
  return g_own_family;
}

using Dlinfo = int (*)(void* handle, int request, void* out);
using Join = int (*)(void* family);

unsigned count_objects(void* handle) noexcept {
  const auto dlinfo = reinterpret_cast<Dlinfo>(find_in_other_objects("dlinfo"));
  link_map* map = nullptr;
  if (dlinfo == nullptr || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) return 0;
  while (map->l_prev != nullptr) map = map->l_prev;
  unsigned count = 0;
  for (; map != nullptr; map = map->l_next) ++count;
  return count;
}

using Dlmopen = void* (*)(Lmid_t, const char*, int);

void* open_copy(Lmid_t name_space) noexcept {
  const auto function = reinterpret_cast<Dlmopen>(hami_real_dlmopen);
  const char* path = LoadedObject::at(reinterpret_cast<const void*>(&open_copy)).path();
  return path == nullptr || function == nullptr ? nullptr : function(name_space, path, RTLD_NOW);
}

void give(Copy& copy) noexcept {
  copy.given_at_ms = now_ms();
  copy.given_to = ::syscall(SYS_gettid);
}

// Another thread that was given it a moment ago may be about to load. This one has come back.
bool is_settled(const Copy& copy) noexcept {
  return copy.given_to == ::syscall(SYS_gettid) || now_ms() - copy.given_at_ms >= kSettledMs;
}

// A name space that we made and that is empty again, because what was loaded there failed or was closed.
// Without this the loader would soon have none left: a copy of ours is never unloaded.
bool take_empty(Family& family, Lmid_t& name_space) noexcept {
  const unsigned count = family.count.load(std::memory_order_acquire);
  for (unsigned i = 0; i < count; ++i) {
    Copy& copy = family.copies[i];
    if (copy.objects == 0 || !is_settled(copy)) continue;
    if (count_objects(open_copy(copy.name_space)) != copy.objects) continue;
    give(copy);
    name_space = copy.name_space;
    return true;
  }
  return false;
}

bool make(Family& family, Lmid_t& name_space) noexcept {
  if (family.count.load(std::memory_order_relaxed) == kCopies) return false;
  void* handle = open_copy(LM_ID_NEWLM);
  const auto dlinfo = reinterpret_cast<Dlinfo>(find_in_other_objects("dlinfo"));
  if (handle == nullptr || dlinfo == nullptr || dlinfo(handle, RTLD_DI_LMID, &name_space) != 0) return false;
  const auto join = reinterpret_cast<Join>(real_dlsym(handle, "hami_vgpu_join"));
  const unsigned index = family.count.load(std::memory_order_relaxed);
  if (join == nullptr || join(&family) == 0) return false;
  Copy& copy = family.copies[index];
  copy.name_space = name_space;
  copy.objects = count_objects(handle);
  give(copy);
  return true;
}

// A name space with a copy of ours in it; false, after a line in the log, when there is none to be had.
bool new_name_space(Lmid_t& name_space) noexcept {
  Family& all = family();
  const LockGuard guard(all.lock);
  if (take_empty(all, name_space) || make(all, name_space)) return true;
  log(LogLevel::error,
      "cannot load libvgpu.so into a new name space; dlmopen is refused, because what it "
      "loads would not be held to the limits");
  return false;
}

}  // namespace

const Process* first_process() noexcept {
  const Family* known = g_family.load(std::memory_order_acquire);
  return known == nullptr || known == &g_own_family ? nullptr : known->first;
}

HamiAnswer ask_family(const char* symbol, void* address) noexcept {
  const Family* known = g_family.load(std::memory_order_acquire);
  if (known == nullptr) return {nullptr, 0};
  HamiAnswer answer = {nullptr, 0};
  if (known != &g_own_family) answer = known->replace(symbol, address);
  const unsigned count = known->count.load(std::memory_order_acquire);
  for (unsigned i = 0; i < count && answer.decided == 0; ++i) {
    if (known->copies[i].replace != replace_here) answer = known->copies[i].replace(symbol, address);
  }
  return answer;
}

void forget_in_family(void (*forget)() noexcept) noexcept {
  Family* known = g_family.load(std::memory_order_acquire);
  if (known == nullptr) return forget();
  known->lock.reset();
  known->forget();  // its account is everybody's: first
  const unsigned count = known->count.load(std::memory_order_acquire);
  for (unsigned i = 0; i < count; ++i) known->copies[i].forget();
}

}  // namespace hami::vgpu

// Called by the first copy in one that it loaded: from now on this is one of its family. Zero: it cannot be.
HAMI_EXPORT int hami_vgpu_join(void* of) {
  using namespace hami::vgpu;
  auto* family = static_cast<Family*>(of);
  if (family->size != sizeof(Family) + sizeof(Process) || family->page_version != hami::abi::kUsageVersion) {
    return 0;
  }
  const unsigned index = family->count.load(std::memory_order_relaxed);
  family->copies[index].replace = replace_here;
  family->copies[index].forget = forget_process;
  g_family.store(family, std::memory_order_release);
  family->count.store(index + 1, std::memory_order_release);
  return 1;
}

HamiOpening hami_name_space_to_open(long name_space, int flags) noexcept {
  using namespace hami::vgpu;
  const ErrnoGuard keep_errno;
  HamiOpening opening = {name_space, hami_flags_to_open(flags)};
  if (name_space != LM_ID_NEWLM || mode() == Mode::off) return opening;
  Lmid_t ours = 0;
  opening.name_space = new_name_space(ours) ? ours : LONG_MIN;
  return opening;
}
