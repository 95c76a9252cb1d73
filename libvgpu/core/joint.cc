#include "libvgpu/core/joint.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "libvgpu/abi/usage_joint.h"

namespace hami::vgpu {
namespace {

// Changes of joint memory, one process at a time.
class Change {
 public:
  explicit Change(Account& account) noexcept : account_(account), is_begun_(account.begin_joint()) {}
  ~Change() {
    if (is_begun_) account_.end_joint();
  }
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;
  explicit operator bool() const noexcept { return is_begun_; }

 private:
  Account& account_;
  bool is_begun_;
};

// "/proc/self/<folder>/<fd>"
struct ProcPath {
  ProcPath(const char* folder, int fd) noexcept {
    char digits[16];
    unsigned count = 0;
    for (unsigned rest = static_cast<unsigned>(fd); count == 0 || rest != 0; rest /= 10)
      digits[count++] = static_cast<char>('0' + rest % 10);
    char* at = stpcpy(stpcpy(text, "/proc/self/"), folder);
    *at++ = '/';
    while (count != 0) *at++ = digits[--count];
    *at = '\0';
  }
  char text[64];
};

std::uint32_t find(const abi::UsagePage& page, std::uint64_t key) noexcept {
  for (std::uint32_t i = 0; i < abi::joint_in_use(page); ++i) {
    if (page.joint[i].key.load(std::memory_order_relaxed) == key) return i;
  }
  return JointMemory::kNone;
}

std::uint32_t find_free(const abi::UsagePage& page) noexcept {
  for (std::uint32_t i = 0; i < abi::kMaxJoint; ++i) {
    if (page.joint[i].key.load(std::memory_order_relaxed) == 0) return i;
  }
  return JointMemory::kNone;
}

// A line of fdinfo is "lock:\t1: OFDLCK ADVISORY  READ -1 00:2d:17 2305… 2305…": the byte's number stands
// last.
std::uint64_t key_in_line(const char* line, const char* end) noexcept {
  const char* at = end;
  while (at > line && at[-1] != ' ') --at;
  std::uint64_t value = 0;
  for (; at < end; ++at) {
    if (*at < '0' || *at > '9' || value >= abi::kFirstJointKey * 2 / 10) return 0;
    value = value * 10 + static_cast<unsigned>(*at - '0');
  }
  return value >= abi::kFirstJointKey && value < abi::kFirstJointKey * 2 ? value : 0;
}

bool name_carrier(abi::Carrier& carrier, int fd) noexcept {
  struct stat status = {};
  char path[sizeof carrier.path] = {};
  const auto length = ::readlink(ProcPath("fd", fd).text, path, sizeof path - 1);
  if (length <= 0 || ::syscall(SYS_fstat, fd, &status) != 0) return false;
  carrier.device.store(status.st_dev, std::memory_order_relaxed);
  carrier.inode.store(status.st_ino, std::memory_order_relaxed);
  std::memcpy(carrier.path, path, sizeof path);
  return true;
}

}  // namespace

std::uint64_t key_of_handle(const void* handle) noexcept {
  std::uint64_t words[8];
  std::memcpy(words, handle, sizeof words);
  std::uint64_t key = 0x5a17;
  for (const std::uint64_t word : words) key = abi::mixed(key, word);
  return (key & (abi::kFirstJointKey - 1)) | 1U;
}

std::uint64_t key_of_fabric_handle(const void* handle) noexcept {
  return key_of_handle(handle) | abi::kFirstJointKey;
}

std::uint64_t key_of_descriptor(int fd) noexcept {
  const ErrnoGuard keep_errno;
  char text[2048];
  const int info = fd < 0 ? -1 : ::open(ProcPath("fdinfo", fd).text, O_RDONLY | O_CLOEXEC);
  if (info < 0) return 0;
  const auto length = ::read(info, text, sizeof text);
  ::close(info);
  const char* end = length > 0 ? text + length : text;
  for (const char* line = text; line < end;) {
    const void* found = std::memchr(line, '\n', static_cast<std::size_t>(end - line));
    const char* next = found != nullptr ? static_cast<const char*>(found) : end;
    const bool is_lock = next - line > 5 && std::memcmp(line, "lock:", 5) == 0;
    if (const std::uint64_t key = is_lock ? key_in_line(line, next) : 0; key != 0) return key;
    line = next + 1;
  }
  return 0;
}

std::uint32_t JointMemory::publish(Account& account, std::uint64_t key, unsigned device,
                                   std::uint64_t bytes) noexcept {
  const Change change(account);
  if (!change) return kNone;
  abi::UsagePage& page = *account.page();
  std::uint32_t index = find(page, key);
  if (index != kNone) return page.joint[index].payer.load() == account.self() ? index : kNone;
  index = find_free(page);
  if (index == kNone) return kNone;
  abi::JointPiece& piece = page.joint[index];
  piece.bytes.store(bytes, std::memory_order_relaxed);
  piece.device.store(device, std::memory_order_relaxed);
  piece.payer.store(account.self(), std::memory_order_relaxed);
  piece.is_carried.store(0, std::memory_order_relaxed);
  for (auto& word : piece.holders) word.store(0, std::memory_order_relaxed);
  abi::set_holder(piece, account.self(), true);
  uses_[index] = 1;
  piece.key.store(key, std::memory_order_release);
  if (index >= abi::joint_in_use(page)) page.joint_high.store(index + 1, std::memory_order_release);
  return index;
}

std::uint32_t JointMemory::join(Account& account, std::uint64_t key) noexcept {
  if (key == 0 || account.page()->joint_high.load(std::memory_order_acquire) == 0) return kNone;
  const Change change(account);
  if (!change) return kNone;
  const std::uint32_t index = find(*account.page(), key);
  if (index == kNone) return kNone;
  abi::JointPiece& piece = account.page()->joint[index];
  if (!abi::is_holder(piece, account.self())) uses_[index] = 0;  // what we counted was of another piece
  ++uses_[index];
  abi::set_holder(piece, account.self(), true);
  return index;
}

void JointMemory::let_go(Account& account, std::uint32_t index) noexcept {
  const Change change(account);
  if (!change || uses_[index] == 0 || --uses_[index] != 0) return;
  end_use(account, account.page()->joint[index]);
}

void JointMemory::end_use(Account& account, abi::JointPiece& piece) noexcept {
  abi::set_holder(piece, account.self(), false);
  const std::uint32_t payer = piece.payer.load(std::memory_order_relaxed);
  if (payer != account.self() && payer < abi::kNoPayer) return;
  const bool is_had = abi::has_holder(piece) || abi::is_carried(*account.page(), piece);
  if (payer != account.self()) {
    if (!is_had) account.drop(piece);
    return;
  }
  if (is_had) {
    account.hand_over(piece);
    return;
  }
  const std::uint64_t bytes = piece.bytes.load(std::memory_order_relaxed);
  abi::free_piece(*account.page(), piece);
  if (bytes != 0) account.refund(abi::joint_device(piece), bytes);
}

void JointMemory::retract(Account& account, std::uint32_t index) noexcept {
  const Change change(account);
  if (!change) return;
  abi::JointPiece& piece = account.page()->joint[index];
  uses_[index] = 0;
  abi::set_holder(piece, account.self(), false);
  if (!abi::has_holder(piece)) abi::free_piece(*account.page(), piece);
}

bool JointMemory::stamp(Account& account, std::uint32_t index, int fd) noexcept {
  const ErrnoGuard keep_errno;
  const Change change(account);
  if (!change) return false;
  abi::JointPiece& piece = account.page()->joint[index];
  const std::uint64_t byte = piece.key.load(std::memory_order_relaxed);
  if (!abi::set_file_lock(fd, byte, F_RDLCK) || !name_carrier(account.page()->carrier, fd)) return false;
  piece.is_carried.store(1, std::memory_order_release);
  return true;
}

void JointMemory::note_pointer(std::uint64_t pointer, std::uint32_t piece) noexcept {
  const LockGuard guard(lock_);
  pointers_.put(pointer, piece);
  pointers_left_.store(static_cast<std::uint32_t>(pointers_.size()), std::memory_order_relaxed);
}

std::uint32_t JointMemory::take_pointer(std::uint64_t pointer) noexcept {
  const LockGuard guard(lock_);
  std::uint64_t* word = pointers_.find(pointer);
  if (word == nullptr) return kNone;
  const auto piece = static_cast<std::uint32_t>(*word);
  pointers_.erase(word);
  pointers_left_.store(static_cast<std::uint32_t>(pointers_.size()), std::memory_order_relaxed);
  return piece;
}

void JointMemory::forget() noexcept {
  lock_.reset();
  for (std::uint32_t& uses : uses_) {
    if (uses != 0) uses = 0;
  }
  pointers_.clear();
  pointers_left_.store(0, std::memory_order_relaxed);
}

}  // namespace hami::vgpu
