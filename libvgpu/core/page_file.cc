#include "libvgpu/core/page_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "libvgpu/abi/usage_repair.h"
#include "libvgpu/core/log.h"

namespace hami::vgpu {
namespace {

// Closes its descriptor, and with it every record lock that this process has on the file: only before the
// account takes its own.
class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

// Every process of the container must be able to write the page, whatever the umask of the first one is.
int open_or_create(const char* path) noexcept {
  const int fd = ::open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd >= 0) {
    ::fchmod(fd, 0666);
    return fd;
  }
  return errno == EEXIST ? ::open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
}

bool lock_for_creation(int fd) noexcept {
  for (int round = 0; round < 2000; ++round) {  // 2 s; creation takes far less
    if (abi::set_byte_lock(fd, abi::kGateByte, F_WRLCK)) return true;
    const timespec pause = {0, 1'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return false;
}

// Maps `size` bytes from `offset` on. With its blocks allocated, writing cannot end in SIGBUS on a full disk.
void* map_allocated(int fd, std::uint64_t offset, std::uint64_t size) noexcept {
  const auto start = static_cast<off_t>(offset);
  if (::posix_fallocate(fd, start, static_cast<off_t>(size)) != 0) return nullptr;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, start);
  return memory == MAP_FAILED ? nullptr : memory;
}

// The same where all of that is there already. Its maker allocated the blocks before it wrote what a reader
// looks for.
void* map_existing(int fd, std::uint64_t offset, std::uint64_t size) noexcept {
  if (::lseek(fd, 0, SEEK_END) < static_cast<off_t>(offset + size)) return nullptr;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(offset));
  return memory == MAP_FAILED ? nullptr : memory;
}

// Most processes find the page made: they need no lock, for which a thousand that start at once would wait.
bool is_ready_page(int fd, std::uint64_t offset) noexcept {
  void* memory = map_existing(fd, offset, sizeof(abi::UsagePage));
  if (memory == nullptr) return false;
  const bool is_ready = abi::is_usage_page(*static_cast<abi::UsagePage*>(memory));
  std::atomic_thread_fence(std::memory_order_acquire);
  ::munmap(memory, sizeof(abi::UsagePage));
  return is_ready;
}

// A page that is there and valid stays: other processes count on it.
bool initialise(int fd, std::uint64_t offset) noexcept {
  void* memory = map_allocated(fd, offset, sizeof(abi::UsagePage));
  if (memory == nullptr) return false;
  if (!abi::is_usage_page(*static_cast<abi::UsagePage*>(memory))) {
    std::memset(memory, 0, sizeof(abi::UsagePage));
    abi::SliceFile devices = {};
    devices.device_count = abi::kMaxDevices;
    abi::init_usage_page(memory, devices);
  }
  ::munmap(memory, sizeof(abi::UsagePage));
  return true;
}

}  // namespace

bool create_page_file(const char* path, std::uint64_t offset) noexcept {
  const Descriptor file(open_or_create(path));
  if (file.get() >= 0 && (is_ready_page(file.get(), offset) ||
                          (lock_for_creation(file.get()) && initialise(file.get(), offset)))) {
    return true;
  }
  log(LogLevel::error, "cannot prepare '", path,
      "' for the memory limits; CUDA memory calls fail (CUDA_DEVICE_MEMORY_SHARED_CACHE names another file)");
  return false;
}

void* map_shared_file(const char* path, std::uint64_t size, bool (*is_ready)(const void*),
                      void (*prepare)(void*, void*), void* data) noexcept {
  const Descriptor file(open_or_create(path));
  if (file.get() < 0) return nullptr;
  void* memory = map_existing(file.get(), 0, size);
  if (memory != nullptr && is_ready(memory)) return memory;
  if (memory != nullptr) ::munmap(memory, size);
  if (!lock_for_creation(file.get())) return nullptr;
  memory = map_allocated(file.get(), 0, size);
  if (memory != nullptr) prepare(memory, data);
  return memory;
}

}  // namespace hami::vgpu
