// Any bytes as a usage page that processes of the container have written: admission, reports and repair end,
// and nothing outside the page is touched. Input: pairs of a 32-bit offset and a 64-bit value.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "libvgpu/abi/usage_repair.h"
#include "libvgpu/core/account.h"
#include "libvgpu/core/joint.h"

namespace {

using hami::abi::UsagePage;
using hami::vgpu::Account;

constexpr unsigned kDevices = 4;
constexpr std::uint64_t kLimit = std::uint64_t{1} << 30U;

char g_path[] = "/tmp/vgpu_page_fuzz.XXXXXX";

struct Page {
  int fd;
  UsagePage* memory;
};

Page make_page_file() {
  const int fd = ::mkstemp(g_path);
  if (fd < 0 || ::ftruncate(fd, sizeof(UsagePage)) != 0) std::abort();
  std::atexit([] { ::unlink(g_path); });
  void* memory = ::mmap(nullptr, sizeof(UsagePage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) std::abort();
  return {fd, static_cast<UsagePage*>(memory)};
}

void clean(UsagePage& page) {
  std::memset(static_cast<void*>(&page), 0, sizeof page);
  hami::abi::SliceFile slice = {};
  slice.device_count = kDevices;
  hami::abi::init_usage_page(&page, slice);
}

void scribble(UsagePage& page, const std::uint8_t* data, std::size_t size) {
  for (std::size_t at = 0; at + 12 <= size; at += 12) {
    std::uint32_t offset = 0;
    std::memcpy(&offset, data + at, sizeof offset);
    offset %= static_cast<std::uint32_t>(sizeof(UsagePage) - 8);
    std::memcpy(reinterpret_cast<unsigned char*>(&page) + offset, data + at + 4, 8);
  }
}

// What a process of the container does with the page, from joining it on.
void use(Account& account) {
  account.forget();
  account.touch(1);
  if (account.admit(1, 4096, kLimit) == hami::vgpu::Verdict::admitted) account.refund(1, 4096);
  account.charge(2, 512);
  account.refund(2, 512);
  hami::vgpu::ProcessUse uses[8];
  if (account.processes(1, uses, 8) > hami::abi::kMaxSlots) std::abort();
  account.used(3);
  account.pid_of_host(account.host_of_pid(1));
  account.has_process(1);
  hami::vgpu::JointMemory joint;
  const std::uint32_t made = joint.publish(account, 77, 1, 4096);
  for (const std::uint64_t key : {std::uint64_t{77}, account.page()->joint[0].key.load()}) {
    const std::uint32_t piece = joint.join(account, key);
    if (piece != hami::vgpu::JointMemory::kNone) joint.let_go(account, piece);
  }
  if (made != hami::vgpu::JointMemory::kNone) joint.let_go(account, made);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Page file = make_page_file();
  static Account account;
  static const bool is_open = (clean(*file.memory), account.open(g_path, 0));
  if (!is_open) std::abort();
  UsagePage& page = *file.memory;
  clean(page);
  scribble(page, data, size);
  if (!hami::abi::is_usage_page(page)) return 0;
  use(account);
  scribble(page, data, size);  // again, now that the process is on the page
  account.used(0);
  hami::abi::repair(page, file.fd, hami::abi::kMaxSlots);
  for (const auto& slot : page.slots) {
    if (hami::abi::slot_bytes(slot, 3) >> 63U != 0) std::abort();
  }
  return 0;
}
