#include "libvgpu/core/library.h"

#include <dlfcn.h>

#include <cstring>

#include "libvgpu/entry/resolve.h"

namespace hami::vgpu {
namespace {

constexpr unsigned kRowsMax = 400;

// "/usr/lib/libcuda.so.550.54" is a file of "libcuda.so.1": same name up to ".so".
bool is_file_of(const char* path, const char* soname) noexcept {
  const char* slash = std::strrchr(path, '/');
  const char* name = slash == nullptr ? path : slash + 1;
  const auto stem = static_cast<std::size_t>(std::strstr(soname, ".so") - soname) + 3;
  return std::strncmp(name, soname, stem) == 0 && (name[stem] == '\0' || name[stem] == '.');
}

}  // namespace

int Library::find(std::string_view symbol) const noexcept {
  unsigned low = 0;
  unsigned high = count_;
  while (low < high) {
    const unsigned middle = (low + high) / 2;
    const int order = symbol.compare(rows_[middle].symbol);
    if (order == 0) return static_cast<int>(middle);
    if (order < 0) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return -1;
}

// No lock is held over a call of the loader: another thread may hold the loader's lock and wait for us.
// Several threads may resolve at once; they find the same addresses, and the first one publishes.
bool Library::resolve(const char* path) noexcept {
  if (ready_.load(std::memory_order_acquire) == kReady) return true;
  const ErrnoGuard keep_errno;
  void* handle = path != nullptr ? real_dlopen(path, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE)
                                 : real_dlopen(soname_, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) return false;
  void* found[kRowsMax] = {};
  for (unsigned i = 0; i < count_ && i < kRowsMax; ++i) found[i] = real_dlsym(handle, rows_[i].symbol);
  publish(found);
  return true;
}

void Library::publish(void* const* found) noexcept {
  const LockGuard guard(publishing_);
  if (ready_.load(std::memory_order_relaxed) == kReady) return;
  for (unsigned i = 0; i < count_; ++i) {
    std::memcpy(slot(i), &found[i], sizeof found[i]);
  }
  // A driver may give several names one address. A replaced one decides, and of those the latest variant:
  // backwards, because the first to come stays.
  for (unsigned i = count_; i-- > 0;) {
    if (rows_[i].hook != nullptr) insert(found[i], rows_[i].hook);
  }
  for (unsigned i = 0; i < count_; ++i) insert(found[i], nullptr);
  ready_.store(kReady, std::memory_order_release);
}

bool Library::load_from(const void* address) noexcept {
  const char* path = nullptr;
  return real_dladdr(address, &path) && is_file_of(path, soname_) && resolve(path);
}

void Library::insert(const void* address, void* hook) noexcept {
  if (address == nullptr || pairs_ >= kSlots / 2) return;
  std::uint32_t i = hash(address) % kSlots;
  for (; by_address_[i].address.load(std::memory_order_relaxed) != nullptr; i = (i + 1) % kSlots) {
    if (by_address_[i].address.load(std::memory_order_relaxed) == address) return;
  }
  by_address_[i].hook = hook;
  by_address_[i].address.store(address, std::memory_order_release);
  ++pairs_;
}

void Library::remember(const void* address, void* hook) noexcept {
  const LockGuard guard(publishing_);
  insert(address, hook);
}

}  // namespace hami::vgpu
