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
  using Replace = HamiAnswer (*)(const char* symbol, void* address) noexcept;
  std::atomic<Replace> replace;   // null while its place is being taken
  std::atomic<bool> is_examined;  // by one thread at a time
  unsigned (*count)() noexcept;   // of the objects in its name space
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

// In this copy's name space. The loader does not change it meanwhile.
unsigned count_here() noexcept {
  unsigned count = 0;
  ::dl_iterate_phdr(
      [](dl_phdr_info*, std::size_t, void* data) {
        ++*static_cast<unsigned*>(data);
        return 0;
      },
      &count);
  return count;
}

using Dlmopen = void* (*)(Lmid_t, const char*, int);

void* open_copy() noexcept {
  const auto function = reinterpret_cast<Dlmopen>(hami_real_dlmopen);
  const char* path = LoadedObject::at(reinterpret_cast<const void*>(&open_copy)).path();
  return path == nullptr || function == nullptr ? nullptr : function(LM_ID_NEWLM, path, RTLD_NOW);
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
bool take_if_empty(Copy& copy) noexcept {
  if (copy.is_examined.exchange(true, std::memory_order_acquire)) return false;
  const bool is_empty = copy.objects != 0 && is_settled(copy) && copy.count() == copy.objects;
  if (is_empty) give(copy);
  copy.is_examined.store(false, std::memory_order_release);
  return is_empty;
}

unsigned copies_of(const Family& family) noexcept {
  const unsigned count = family.count.load(std::memory_order_acquire);
  return count < kCopies ? count : kCopies;
}

bool take_empty(Family& family, Lmid_t& name_space) noexcept {
  for (unsigned i = 0; i < copies_of(family); ++i) {
    Copy& copy = family.copies[i];
    if (copy.replace.load(std::memory_order_acquire) == nullptr || !take_if_empty(copy)) continue;
    name_space = copy.name_space;
    return true;
  }
  return false;
}

bool make(Family& family, Lmid_t& name_space) noexcept {
  void* handle = open_copy();
  const auto dlinfo = reinterpret_cast<Dlinfo>(find_in_other_objects("dlinfo"));
  if (handle == nullptr || dlinfo == nullptr || dlinfo(handle, RTLD_DI_LMID, &name_space) != 0) return false;
  const auto join = reinterpret_cast<Join>(real_dlsym(handle, "hami_vgpu_join"));
  const int place = join == nullptr ? 0 : join(&family);
  if (place == 0) return false;
  Copy& copy = family.copies[place - 1];
  copy.name_space = name_space;
  copy.objects = copy.count();
  give(copy);
  copy.is_examined.store(false, std::memory_order_release);
  return true;
}

// A name space with a copy of ours in it; false, after a line in the log, when there is none to be had. No
// lock is held over a call of the loader: another thread may hold the loader's lock and come here.
bool new_name_space(Lmid_t& name_space) noexcept {
  Family& all = family();
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
  for (unsigned i = 0; i < copies_of(*known) && answer.decided == 0; ++i) {
    const Copy::Replace replace = known->copies[i].replace.load(std::memory_order_acquire);
    if (replace != nullptr && replace != replace_here) answer = replace(symbol, address);
  }
  return answer;
}

void forget_in_family(void (*forget)() noexcept) noexcept {
  Family* known = g_family.load(std::memory_order_acquire);
  if (known == nullptr) return forget();
  known->lock.reset();
  known->forget();  // its account is everybody's: first
  for (unsigned i = 0; i < copies_of(*known); ++i) {
    Copy& copy = known->copies[i];
    if (copy.replace.load(std::memory_order_acquire) == nullptr) continue;
    copy.is_examined.store(false, std::memory_order_relaxed);
    copy.forget();
  }
}

}  // namespace hami::vgpu

// Called in a copy by the one that loaded it: from now on it is one of the family. Its place there, from 1
// on; 0: it cannot be.
HAMI_EXPORT int hami_vgpu_join(void* of) {
  using namespace hami::vgpu;
  auto* family = static_cast<Family*>(of);
  if (family->size != sizeof(Family) + sizeof(Process) || family->page_version != hami::abi::kUsageVersion) {
    return 0;
  }
  const unsigned index = family->count.fetch_add(1, std::memory_order_acq_rel);
  if (index >= kCopies) return 0;
  Copy& copy = family->copies[index];
  copy.count = count_here;
  copy.forget = forget_process;
  copy.is_examined.store(true, std::memory_order_relaxed);  // until its name space is known
  g_family.store(family, std::memory_order_release);
  copy.replace.store(replace_here, std::memory_order_release);
  return static_cast<int>(index) + 1;
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
