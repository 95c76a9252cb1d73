#include "libvgpu/core/boards.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

namespace hami::vgpu {
namespace {

constexpr std::uint64_t kLookEvery = share::kMillisecond;
constexpr std::uint64_t kAskEvery = 20 * share::kMillisecond;
constexpr std::uint64_t kScanEvery = share::kSecond;  // in any case

// What getdents64 fills: inode, offset, size of the entry, type, name.
constexpr std::size_t kEntrySize = 16;
constexpr std::size_t kEntryName = 19;

// The library functions have got new versions in newer C libraries.
bool file_status(int directory, const char* path, int flags, struct stat& info) noexcept {
  return ::syscall(SYS_newfstatat, directory, path, &info, flags) == 0;
}

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

// A file that its writer may have cut off gives nothing.
bool read_words(int directory, const abi::BoardName& name, std::size_t offset, std::uint64_t* words,
                std::size_t size) noexcept {
  char text[abi::kBoardNameSize];
  abi::format_board_name(name, text);
  const Descriptor file(::openat(directory, text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.get() < 0) return false;
  return ::pread(file.get(), words, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
}

bool read_board(int directory, const abi::BoardName& name, share::Neighbour& out) noexcept {
  std::uint64_t words[3] = {};
  const std::size_t offset = offsetof(abi::Board, devices) + name.device * sizeof(abi::BoardDevice);
  if (!read_words(directory, name, offset, words, sizeof words)) return false;
  out = {name.id, name.priority, words[0], words[1], words[2]};
  return true;
}

bool has_waiter_before(int directory, const abi::BoardName& name, std::uint64_t now,
                       const share::Place& mine) noexcept {
  constexpr std::size_t kWords = sizeof(abi::BoardWaiter) / sizeof(std::uint64_t);
  std::uint64_t words[abi::kBoardWaiters * kWords] = {};
  if (!read_words(directory, name, offsetof(abi::Board, waiters), words, sizeof words)) return false;
  for (std::uint32_t i = 0; i < abi::kBoardWaiters; ++i) {
    const std::uint64_t* one = words + i * kWords;
    const share::Place place = {one[0], one[1], one[2], name.id, i};
    if (place.device == name.device && share::is_taken(place, now) && share::is_before(place, mine))
      return true;
  }
  return false;
}

// Calls visit(directory, name) for every file of the directory.
template <typename Visit>
bool each_file(const char* path, Visit visit) noexcept {
  const Descriptor directory(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return false;
  char buffer[4096];
  for (;;) {
    const long size = ::syscall(SYS_getdents64, directory.get(), buffer, sizeof buffer);
    if (size <= 0) return true;
    for (long at = 0; at < size;) {
      unsigned short length = 0;
      std::memcpy(&length, buffer + at + kEntrySize, sizeof length);
      visit(directory.get(), buffer + at + kEntryName);
      at += length;
    }
  }
}

}  // namespace

void card_path(unsigned index, CardPath& path) noexcept {
  const std::size_t length = std::strlen(abi::kCardsPath);
  std::memcpy(path, abi::kCardsPath, length);
  char* end = path + length;
  *end++ = '/';
  if (index >= 10) *end++ = static_cast<char>('0' + index / 10);
  *end++ = static_cast<char>('0' + index % 10);
  *end = '\0';
}

void CardBoards::add(int directory, const char* name, std::uint64_t own_inode) noexcept {
  abi::BoardName parsed;
  struct stat info {};
  if (count_ == share::Neighbourhood::kMost || !abi::parse_board_name(name, parsed)) return;
  if (!file_status(directory, name, AT_SYMLINK_NOFOLLOW, info) || !S_ISREG(info.st_mode)) return;
  if (info.st_ino == own_inode) {
    own_id_.store(parsed.id, std::memory_order_relaxed);
  } else {
    names_[count_++] = parsed;
  }
}

// Reads the directory when it has changed, and once more after that: the kernel's file times are coarse, a
// file that came right after the first look shows the same time.
void CardBoards::scan(const char* path, std::uint64_t now, std::uint64_t own_inode) noexcept {
  struct stat info {};
  if (!file_status(AT_FDCWD, path, 0, info)) return;
  const std::int64_t modified = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
  if (modified == modified_ && is_settled_ && now < scanned_at_ + kScanEvery) return;
  const unsigned before = count_;
  count_ = 0;
  if (!each_file(path, [=, this](int directory, const char* name) { add(directory, name, own_inode); })) {
    count_ = before;
    return;
  }
  is_settled_ = modified == modified_;
  modified_ = modified;
  scanned_at_ = now;
}

void CardBoards::look(const char* path, std::uint64_t now, std::uint64_t own_inode,
                      share::Neighbourhood& others) noexcept {
  if (now < next_look_.load(std::memory_order_relaxed) || !looking_.try_lock()) return;
  if (now >= next_ask_) {
    scan(path, now, own_inode);
    next_ask_ = now + kAskEvery;
  }
  share::Neighbour found[share::Neighbourhood::kMost];
  unsigned count = 0;
  if (count_ != 0) {
    const Descriptor directory(::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
    for (unsigned i = 0; i < count_; ++i) {
      if (directory.get() >= 0 && read_board(directory.get(), names_[i], found[count])) ++count;
    }
  }
  if (scanned_at_ != 0) others.update(found, count);
  next_look_.store(now + (count_ != 0 ? kLookEvery : kAskEvery), std::memory_order_relaxed);
  looking_.unlock();
}

void CardBoards::forget() noexcept {
  looking_.reset();
  next_look_.store(0, std::memory_order_relaxed);
  next_ask_ = scanned_at_ = 0;
  modified_ = -1;
  is_settled_ = false;
  count_ = 0;
}

bool is_neighbour_before(const char* path, std::uint64_t now, std::uint64_t own_inode,
                         const share::Place& mine) noexcept {
  bool found = false;
  each_file(path, [&](int directory, const char* text) {
    abi::BoardName name;
    struct stat info {};
    if (found || !abi::parse_board_name(text, name)) return;
    if (!file_status(directory, text, AT_SYMLINK_NOFOLLOW, info) || info.st_ino == own_inode) return;
    found = has_waiter_before(directory, name, now, mine);
  });
  return found;
}

abi::Board* open_board(const char* path, std::uint64_t& inode) noexcept {
  const Descriptor file(::open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (file.get() < 0 || !file_status(AT_FDCWD, path, 0, info)) return nullptr;
  // Touching a page behind the end of a file kills the process.
  if (info.st_size < static_cast<off_t>(sizeof(abi::Board))) return nullptr;
  void* memory = ::mmap(nullptr, sizeof(abi::Board), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (memory == MAP_FAILED) return nullptr;
  inode = info.st_ino;
  auto* board = static_cast<abi::Board*>(memory);
  if (board->magic == abi::kBoardMagic) return board;
  ::munmap(memory, sizeof(abi::Board));
  return nullptr;
}

}  // namespace hami::vgpu
