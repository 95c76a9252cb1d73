#include "libvgpu/core/process.h"

#include <cstdlib>

#include "libvgpu/core/page_file.h"

// What pthread_atfork() of a program calls; the library function itself is not in every libc.so.6.
extern "C" __attribute__((weak)) int __register_atfork(void (*prepare)(), void (*parent)(), void (*child)(),
                                                       void* object) noexcept;

namespace hami::vgpu {

constinit Process g_process;

namespace {

const char* look_up(const char* name) noexcept { return ::secure_getenv(name); }

// The child has one thread, no slot and no CUDA objects; everything else stays as it is.
void after_fork_in_child() noexcept {
  g_process.starting.reset();
  g_process.account.forget();
  g_process.records.forget();
  g_process.physical.forget();
}

bool open_page(LimitSource source) noexcept {
  if (source == LimitSource::slice) return g_process.account.open(abi::kUsagePath, 0);
  const char* path = look_up(kSharedCacheVariable);
  if (path == nullptr || *path == '\0') path = kSharedCacheDefault;
  return create_page_file(path, 0) && g_process.account.open(path, 0);
}

Mode find_mode() noexcept {
  const LimitSource source = g_process.limits.load(abi::kSlicePath, look_up);
  if (source == LimitSource::none) return Mode::off;
  if (source == LimitSource::unusable || !open_page(source)) return Mode::unusable;
  if (__register_atfork != nullptr) __register_atfork(nullptr, nullptr, after_fork_in_child, nullptr);
  return Mode::on;
}

}  // namespace

Mode start() noexcept {
  const ErrnoGuard keep_errno;
  const LockGuard guard(g_process.starting);
  Mode known = g_process.mode.load(std::memory_order_acquire);
  if (known == Mode::unknown) {
    known = find_mode();
    g_process.mode.store(known, std::memory_order_release);
  }
  return known;
}

}  // namespace hami::vgpu
