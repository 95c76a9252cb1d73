#include "libvgpu/core/library.h"

#include <dlfcn.h>

#include <cstring>

#include "libvgpu/entry/elf_symbols.h"
#include "libvgpu/entry/resolve.h"

namespace hami::vgpu {
namespace {

constexpr unsigned kRowsMax = 400;
static_assert(kRowsMax < LibraryState::kSlots / 2);

}  // namespace

bool is_file_of(const char* path, const char* soname) noexcept {
  const char* slash = std::strrchr(path, '/');
  const char* name = slash == nullptr ? path : slash + 1;
  const auto stem = static_cast<std::size_t>(std::strstr(soname, ".so") - soname) + 3;
  return std::strncmp(name, soname, stem) == 0 && (name[stem] == '\0' || name[stem] == '.');
}

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

// Our own search of the driver's file takes a fraction of the loader's time. What the file does not define
// itself the loader may still find, in what it depends on.
void Library::find_all(void* handle, void** found) const noexcept {
  LoadedObject driver;
  bool is_known = false;
  for (unsigned i = 0; i < count_; ++i) {
    found[i] = driver.find(rows_[i].symbol, rows_[i].hash);
    if (found[i] == nullptr) found[i] = real_dlsym(handle, rows_[i].symbol);
    if (found[i] == nullptr || is_known) continue;
    is_known = true;
    const LoadedObject object = LoadedObject::at(found[i]);
    if (object.path() != nullptr && is_file_of(object.path(), soname_)) driver = object;
  }
}

// No lock is held over a call of the loader: another thread may hold the loader's lock and wait for us.
// Several threads may resolve at once; they find the same addresses, and the first one publishes.
bool Library::resolve(const char* path) const noexcept {
  if (state_->ready.load(std::memory_order_acquire) == kReady) return true;
  const ErrnoGuard keep_errno;
  void* handle = path != nullptr ? real_dlopen(path, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE)
                                 : real_dlopen(soname_, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr || count_ > kRowsMax) return false;
  void* found[kRowsMax] = {};
  find_all(handle, found);
  publish(found);
  return true;
}

void Library::publish(void* const* found) const noexcept {
  const LockGuard guard(state_->publishing);
  if (state_->ready.load(std::memory_order_relaxed) == kReady) return;
  for (unsigned i = 0; i < count_; ++i) {
    __atomic_store_n(static_cast<Word*>(entry_points_) + i, reinterpret_cast<std::uintptr_t>(found[i]),
                     __ATOMIC_RELEASE);
  }
  // A driver may give several names one address. A replaced one decides, and of those the latest variant:
  // backwards, because the first to come stays.
  for (unsigned i = count_; i-- > 0;) {
    if (rows_[i].hook != nullptr) insert(i);
  }
  for (unsigned i = 0; i < count_; ++i) insert(i);
  state_->ready.store(kReady, std::memory_order_release);
}

bool Library::load_from(const void* address, int index) const noexcept {
  if (state_->ready.load(std::memory_order_acquire) == kReady && entry_point(index) == address) return true;
  const char* path = LoadedObject::at(address).path();
  // The loader itself also knows other name spaces than the program's.
  if (path == nullptr && !real_dladdr(address, &path)) return false;
  return is_file_of(path, soname_) && resolve(path);
}

void Library::insert(unsigned index) const noexcept {
  const void* address = entry_point(static_cast<int>(index));
  if (address == nullptr) return;
  std::uint32_t i = hash(address);
  for (;; ++i) {
    const unsigned row = state_->row_by_address[i % LibraryState::kSlots].load(std::memory_order_relaxed);
    if (row == 0) break;
    if (entry_point(static_cast<int>(row) - 1) == address) return;
  }
  state_->row_by_address[i % LibraryState::kSlots].store(static_cast<std::uint16_t>(index + 1),
                                                         std::memory_order_release);
}

Library::Known Library::learned(const void* address, std::uint32_t home) const noexcept {
  for (std::uint32_t i = home;; ++i) {
    const LibraryState::Pair& pair = state_->learned[i % LibraryState::kLearned];
    const void* found = pair.address.load(std::memory_order_acquire);
    if (found == nullptr) return {false, nullptr};
    if (found == address) return {true, pair.hook};
  }
}

void Library::remember(const void* address, void* hook) const noexcept {
  const LockGuard guard(state_->publishing);
  const std::uint32_t home = hash(address);
  if (state_->learned_count >= LibraryState::kLearned / 2 || learned(address, home).known) return;
  std::uint32_t i = home;
  while (state_->learned[i % LibraryState::kLearned].address.load(std::memory_order_relaxed) != nullptr) ++i;
  LibraryState::Pair& pair = state_->learned[i % LibraryState::kLearned];
  pair.hook = hook;
  pair.address.store(address, std::memory_order_release);
  ++state_->learned_count;
}

}  // namespace hami::vgpu
