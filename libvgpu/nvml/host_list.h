// Lists that NVML fills with processes of the whole host: however many there are, and of those the
// container's.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

#include "libvgpu/core/process.h"
#include "libvgpu/nvml/types.h"

namespace hami::vgpu {

// Entries that NVML writes. Usual numbers of them need no memory of their own; no heap in any case, which is
// the program's.
template <typename Entry>
class HostList {
 public:
  HostList() noexcept = default;
  ~HostList() { unmap(); }
  HostList(const HostList&) = delete;
  HostList& operator=(const HostList&) = delete;

  // Has `ask(entries, &count)` fill the list; `count` is the room before and the number after. Asks again
  // with more room while NVML says that it does not suffice. What NVML said last.
  template <typename Ask>
  nvmlReturn_t fill(Ask ask) noexcept {
    nvmlReturn_t status = NVML_SUCCESS;
    for (int tries = 0; tries < kTries; ++tries) {
      count_ = room_;
      status = ask(entries_, &count_);
      if (status != NVML_ERROR_INSUFFICIENT_SIZE || !grow(count_ + count_ / 4)) break;
    }
    if (status != NVML_SUCCESS || count_ > room_) count_ = 0;
    return status;
  }

  // Leaves the processes of this container, with the container's pids.
  void keep_ours() noexcept {
    unsigned kept = 0;
    for (unsigned i = 0; i < count_; ++i) {
      const std::uint32_t pid = g_process.account.pid_of_host(entries_[i].pid);
      if (pid == 0) continue;
      entries_[kept] = entries_[i];
      entries_[kept++].pid = pid;
    }
    count_ = kept;
  }

  unsigned count() const noexcept { return count_; }
  const Entry& operator[](unsigned index) const noexcept { return entries_[index]; }

 private:
  static constexpr unsigned kUsual = 128;
  static constexpr unsigned kMost = 1U << 20U;  // there are no more processes on a host than pids
  static constexpr int kTries = 4;              // processes come while we make room

  bool grow(unsigned room) noexcept {
    if (room <= room_ || room > kMost) return false;
    void* memory =
        ::mmap(nullptr, room * sizeof(Entry), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    unmap();
    entries_ = static_cast<Entry*>(memory);
    room_ = room;
    return true;
  }
  void unmap() noexcept {
    if (entries_ != usual_) ::munmap(entries_, room_ * sizeof(Entry));
  }

  Entry usual_[kUsual];
  Entry* entries_ = usual_;
  unsigned room_ = kUsual;
  unsigned count_ = 0;
};

// Hands the list to a program that has room for `*count`: all of it or, where that is too little, the number.
template <typename Entry>
nvmlReturn_t hand_over(const HostList<Entry>& list, Entry* out, unsigned* count) noexcept {
  const bool fits = list.count() == 0 || (out != nullptr && *count >= list.count());
  for (unsigned i = 0; fits && i < list.count(); ++i) out[i] = list[i];
  *count = list.count();
  return fits ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
}

}  // namespace hami::vgpu
