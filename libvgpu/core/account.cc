#include "libvgpu/core/account.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>

#include "libvgpu/abi/usage_repair.h"
#include "libvgpu/core/log.h"
#include "libvgpu/core/proc_self.h"

namespace hami::vgpu {
namespace {

// How long the end of a process may stay unnoticed in reports. A look asks the kernel about every process.
constexpr std::uint64_t kSweepPeriodMs = 5;
constexpr std::uint64_t kSweepPeriodManyMs = 50;
constexpr std::uint32_t kMany = 64;
constexpr int kHighDescriptor = 900;  // out of the way of programs that count on small numbers

constinit std::atomic<unsigned> g_threads{0};  // that have a stripe
constinit thread_local unsigned t_stripe = 0;  // stripe + 1; 0: not chosen yet
constexpr unsigned kSharedStripe = abi::kStripes - 1;

// The first threads have a stripe each, which nobody else writes: plain stores do there. All others share the
// last one.
unsigned stripe() noexcept {
  if (t_stripe == 0) [[unlikely]] {
    const unsigned thread = g_threads.fetch_add(1, std::memory_order_relaxed);
    t_stripe = (thread < kSharedStripe ? thread : kSharedStripe) + 1;
  }
  return t_stripe - 1;
}

std::uint64_t now_ms() noexcept {
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);  // answered without a system call
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

void raise_to(std::atomic<std::uint64_t>& mark, std::uint64_t value) noexcept {
  std::uint64_t seen = mark.load(std::memory_order_relaxed);
  while (seen < value && !mark.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

// The page's file under a number that is out of the way.
int open_page_file(const char* path) noexcept {
  const int low = ::open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (low < 0) return -1;
  // Closing a descriptor of the file drops our record locks: the move comes before the first lock.
  const int fd = ::fcntl(low, F_DUPFD_CLOEXEC, kHighDescriptor);
  if (fd < 0) return low;
  ::close(low);
  return fd;
}

// By the system call itself: the C library's function has a name that old ones do not know.
bool file_identity(int fd, std::uint64_t& device, std::uint64_t& inode) noexcept {
  struct stat status = {};
  if (::syscall(SYS_fstat, fd, &status) != 0) return false;
  device = status.st_dev;
  inode = status.st_ino;
  return true;
}

}  // namespace

bool Account::open(const char* path, std::uint64_t offset) noexcept {
  const int fd = open_page_file(path);
  if (fd < 0) {
    log(LogLevel::error, "cannot open the usage page '", path, "'; CUDA memory calls fail");
    return false;
  }
  void* memory = MAP_FAILED;
  if (::lseek(fd, 0, SEEK_END) >= static_cast<off_t>(offset + sizeof(abi::UsagePage))) {
    memory = ::mmap(nullptr, sizeof(abi::UsagePage), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                    static_cast<off_t>(offset));
  }
  if (memory == MAP_FAILED || !abi::is_usage_page(*static_cast<abi::UsagePage*>(memory))) {
    if (memory != MAP_FAILED) ::munmap(memory, sizeof(abi::UsagePage));
    ::close(fd);
    log(LogLevel::error, "'", path, "' is no usage page of this version; CUDA memory calls fail");
    return false;
  }
  fd_ = fd;
  offset_ = offset;
  file_identity(fd, device_, inode_);
  const std::size_t length = std::strlen(path);
  if (length < sizeof path_) std::memcpy(path_, path, length + 1);
  hold_life();
  page_ = static_cast<abi::UsagePage*>(memory);
  return true;
}

// Its record locks are the process's, so the descriptor is shared too: closing one of our own would drop
// them. Who asks the kernel about the other's slot sees only the lock of its life.
bool Account::share(const Account& first) noexcept {
  if (first.page_ == nullptr || first.life_ == 0) return false;
  first_ = const_cast<Account*>(&first);
  fd_ = first.fd_;
  offset_ = first.offset_;
  std::memcpy(path_, first.path_, sizeof path_);
  inode_ = first.inode_;
  device_ = first.device_;
  life_ = first.life_;
  life_holder_ = first.life_holder_;
  mirror_ = first.mirror_;
  page_ = first.page_;
  return true;
}

// Programs close descriptors that they do not know, and open other files under the same number.
bool Account::has_file() const noexcept {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  return file_identity(fd_, device, inode) && device == device_ && inode == inode_;
}

// Makes `fd_` the page's file again when it is not. False when it cannot be had.
bool Account::keep_file() noexcept {
  if (first_ != nullptr) {
    if (!first_->keep_file()) return false;
    fd_ = first_->fd_;
    return self() >= abi::kMaxSlots || abi::set_byte_lock(fd_, self(), F_WRLCK);
  }
  if (has_file()) return true;
  const int lost = fd_;
  const int fd = path_[0] == '\0' ? -1 : open_page_file(path_);
  if (fd < 0) return false;
  fd_ = fd;
  if (!has_file()) {  // another file stands there now
    ::close(fd);
    fd_ = lost;
    return false;
  }
  if (self() < abi::kMaxSlots) abi::set_byte_lock(fd_, self(), F_WRLCK);
  return true;
}

// Takes the lock of a byte for as long as this process has its memory: the lock belongs to an open file, and
// the mapping of one page keeps that file open when its descriptor is closed. Children do not inherit it.
// Closing a descriptor drops the record locks of this process, so this comes before the first of them.
void Account::hold_life() noexcept {
  life_ = 0;
  life_holder_ = ::getpid();
  const int fd = path_[0] == '\0' ? -1 : ::open(path_, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return;
  constexpr std::size_t kPage = 4096;
  void* memory = ::mmap(nullptr, kPage, PROT_NONE, MAP_SHARED, fd, 0);
  if (memory != MAP_FAILED && ::madvise(memory, kPage, MADV_DONTFORK) == 0) {
    // A number that no other process had, whatever its pid: a dead one's slot must not look alive by our
    // lock.
    timespec now = {};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const std::uint64_t first = abi::kLifeBytes + static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
                                static_cast<std::uint64_t>(now.tv_nsec);
    for (std::uint64_t byte = first; byte < first + 64 && life_ == 0; ++byte) {
      if (abi::set_file_lock(fd, byte, F_WRLCK)) life_ = byte;
    }
  }
  if (memory != MAP_FAILED && life_ == 0) ::munmap(memory, kPage);
  ::close(fd);
}

std::uint32_t Account::self() const noexcept {
  const abi::UsageSlot* mine = slot_.load(std::memory_order_acquire);
  return mine == nullptr ? abi::kMaxSlots : static_cast<std::uint32_t>(mine - page_->slots);
}

// A slot belongs to whoever holds the lock of its byte. Only a free one is taken: what a dead owner left in
// it is the repairer's business.
bool Account::take_slot(std::uint32_t index) noexcept {
  abi::UsageSlot& slot = page_->slots[index];
  if (slot.owner.load(std::memory_order_acquire) != 0 || !abi::set_byte_lock(fd_, index, F_WRLCK))
    return false;
  if (slot.owner.load(std::memory_order_acquire) != 0) {
    abi::set_byte_lock(fd_, index, F_UNLCK);
    return false;
  }
  std::uint32_t high = page_->high_water.load(std::memory_order_relaxed);
  while (high <= index && !page_->high_water.compare_exchange_weak(high, index + 1)) {
  }
  slot.start_time.store(own_start_time(), std::memory_order_relaxed);
  slot.host_pid.store(host_pid_of_self(), std::memory_order_relaxed);
  slot.flags.store(
      first_ == nullptr ? std::uint32_t{abi::kSlotEnforced} : abi::kSlotEnforced | abi::kSlotCopy,
      std::memory_order_relaxed);
  slot.life.store(life_, std::memory_order_relaxed);
  slot.owner.store(std::uint64_t{static_cast<std::uint32_t>(::getpid())} << 32U | 1U,
                   std::memory_order_release);
  if (mirror_ != nullptr) {
    mirror_->attach(index, abi::slot_pid(slot), slot.host_pid.load(std::memory_order_relaxed));
    shown_ = mirror_->slot(index);
  }
  slot_.store(&slot, std::memory_order_release);
  return true;
}

// Allocates the blocks of the slots from `index` on, as many as a page has at first. False when there is no
// room. A file system that allocates nothing ahead keeps its files in another way.
bool Account::back_slots(std::uint32_t index) noexcept {
  const auto begin =
      static_cast<off_t>(offset_ + offsetof(abi::UsagePage, slots) + index * sizeof(abi::UsageSlot));
  constexpr off_t kBytes = abi::kFirstSlots * sizeof(abi::UsageSlot);
  while (::fallocate(fd_, 0, begin, kBytes) != 0) {
    if (errno == EINTR) continue;
    return errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM;
  }
  return true;
}

// A process does not see its own lock: no sweep of another thread may look at the slot before it is known as
// ours.
abi::UsageSlot* Account::take_free_slot() noexcept {
  const LockGuard no_sweep(sweeping());
  if (!keep_file()) {
    log(LogLevel::error, "the usage page '", path_, "' is gone; CUDA memory calls fail");
    return nullptr;
  }
  for (std::uint32_t index = 0; index < abi::kMaxSlots; ++index) {
    // Who took a slot has seen to those beside it.
    const bool is_untouched = index % abi::kFirstSlots == 0 && index != 0 &&
                              index >= page_->high_water.load(std::memory_order_acquire);
    if (is_untouched && !back_slots(index)) {
      log(LogLevel::error, "no room for the record of another process in '", path_,
          "'; CUDA memory calls of this one fail");
      return nullptr;
    }
    if (take_slot(index)) return slot_.load(std::memory_order_acquire);
  }
  return nullptr;
}

// Asking the kernel about every process costs more the more there are, so those that start together do not
// all look for dead ones.
abi::UsageSlot* Account::join() noexcept {
  const ErrnoGuard keep_errno;
  const LockGuard guard(joining_);
  abi::UsageSlot* mine = slot_.load(std::memory_order_acquire);
  if (mine != nullptr) return mine;
  sweep_now_and_then();
  mine = take_free_slot();
  if (mine != nullptr || !has_file()) return mine;
  sweep();
  mine = take_free_slot();
  if (mine == nullptr && page_->high_water.load(std::memory_order_relaxed) >= abi::kMaxSlots) {
    log(LogLevel::error, "more than ", abi::kMaxSlots,
        " processes of this container use the GPU; CUDA memory calls of this one fail");
  }
  return mine;
}

// Marks one word of our slot, so that a repairer knows of the change under way. The change itself makes the
// mark visible: it is an atomic read-modify-write, behind which no earlier store stays unseen.
[[gnu::always_inline]] inline Account::Change Account::enter(unsigned device) noexcept {
  abi::UsageSlot* mine = slot();
  if (mine == nullptr) return {};
  if (page_->gate.load(std::memory_order_acquire) != 0) [[unlikely]]
    wait_for_gate();
  const unsigned which = stripe();
  Change change = {&mine->held[which][device], 0, which != kSharedStripe};
  if (change.is_own) {
    change.before = change.word->load(std::memory_order_relaxed);
    change.word->store(change.before + abi::kHeldMark, std::memory_order_release);
  } else {
    change.word->fetch_add(abi::kHeldMark, std::memory_order_seq_cst);
  }
  return change;
}

// Takes the mark away and adds `bytes`, which may be below 0.
[[gnu::always_inline]] inline void Account::leave(const Change& change, std::uint64_t bytes) noexcept {
  if (change.is_own) {
    change.word->store(change.before + bytes, std::memory_order_release);
  } else {
    change.word->fetch_add(bytes - abi::kHeldMark, std::memory_order_seq_cst);
  }
}

// The end of a change of `committed`. A repairer that raised the gate before the change cannot know of it.
[[gnu::always_inline]] inline void Account::end(const Change& change, std::uint64_t bytes) noexcept {
  if (page_->gate.load(std::memory_order_seq_cst) != 0) [[unlikely]]
    page_->stragglers.fetch_add(1, std::memory_order_seq_cst);
  leave(change, bytes);
}

[[gnu::always_inline]] inline bool Account::try_commit(unsigned device, std::uint64_t bytes,
                                                       std::uint64_t limit) noexcept {
  std::atomic<std::uint64_t>& committed = page_->devices[device].committed;
  std::uint64_t seen = committed.load(std::memory_order_relaxed);
  do {
    if (limit != 0 && (seen > limit || bytes > limit - seen)) return false;
  } while (!committed.compare_exchange_weak(seen, seen + bytes, std::memory_order_seq_cst,
                                            std::memory_order_relaxed));
  if (seen + bytes > page_->devices[device].peak.load(std::memory_order_relaxed)) {
    raise_to(page_->devices[device].peak, seen + bytes);
  }
  return true;
}

Verdict Account::admit(unsigned device, std::uint64_t bytes, std::uint64_t limit) noexcept {
  if (bytes <= abi::kHeldMax) {
    for (int attempt = 0; attempt < 2; ++attempt) {
      const Change change = enter(device);
      if (change.word == nullptr) return Verdict::unusable;
      if (try_commit(device, bytes, limit)) {
        end(change, bytes);
        return Verdict::admitted;
      }
      leave(change, 0);
      if (bytes > limit || sweep() == 0) break;
    }
  }
  page_->devices[device].refused.fetch_add(1, std::memory_order_relaxed);
  return Verdict::refused;
}

void Account::charge(unsigned device, std::uint64_t bytes) noexcept {
  const Change change = enter(device);
  if (change.word == nullptr) return;
  try_commit(device, bytes, 0);
  end(change, bytes);
  show(device, bytes);
}

void Account::withdraw(unsigned device, std::uint64_t bytes) noexcept {
  const Change change = enter(device);
  if (change.word == nullptr) return;
  page_->devices[device].committed.fetch_sub(bytes, std::memory_order_seq_cst);
  end(change, std::uint64_t{0} - bytes);
}

void Account::refund(unsigned device, std::uint64_t bytes) noexcept {
  show(device, std::uint64_t{0} - bytes);
  withdraw(device, bytes);
}

// A repairer needs microseconds. One that was killed leaves the gate up: then whoever waits takes over.
void Account::wait_for_gate() noexcept {
  const ErrnoGuard keep_errno;
  for (int round = 0; page_->gate.load(std::memory_order_seq_cst) != 0; ++round) {
    const timespec pause = {0, 50'000};
    ::nanosleep(&pause, nullptr);
    if (round % 20 == 19) sweep();
  }
}

bool Account::is_alone() const noexcept {
  return page_->high_water.load(std::memory_order_acquire) <= 1 && self() == 0 &&
         page_->joint_high.load(std::memory_order_relaxed) == 0;
}

std::uint32_t Account::sweep() noexcept {
  if (is_alone() && page_->gate.load(std::memory_order_relaxed) == 0) return 0;
  const ErrnoGuard keep_errno;
  const LockGuard guard(sweeping());
  if (!keep_file()) return 0;
  page_->swept_at.store(now_ms(), std::memory_order_relaxed);
  const std::uint32_t dead = abi::repair(*page_, fd_, self());
  if (dead > 0 && mirror_ != nullptr) mirror_->drop_dead(*page_);
  return dead;
}

// One that was killed holds no lock.
bool Account::wait_for_byte(std::uint64_t byte, int milliseconds) noexcept {
  for (int round = 0; !abi::set_byte_lock(fd_, byte, F_WRLCK); ++round) {
    if (round == milliseconds || (errno != EAGAIN && errno != EACCES)) return false;
    const timespec pause = {0, 1'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return true;
}

bool Account::try_exclusive() noexcept {
  const ErrnoGuard keep_errno;
  const LockGuard guard(sweeping());
  // Of one process the kernel lets everybody in.
  if (!excluding().try_lock()) return false;
  if (keep_file() && abi::set_byte_lock(fd_, abi::kContextByte, F_WRLCK)) return true;
  excluding().unlock();
  return false;
}

void Account::end_exclusive() noexcept {
  const ErrnoGuard keep_errno;
  if (has_file()) abi::set_byte_lock(fd_, abi::kContextByte, F_UNLCK);
  excluding().unlock();
}

bool Account::begin_joint() noexcept {
  const ErrnoGuard keep_errno;
  if (slot() == nullptr) return false;
  sweeping().lock();
  for (int round = 0; round < 2; ++round) {
    if (!keep_file() || !wait_for_byte(abi::kGateByte, 1000)) break;
    if (page_->gate.load(std::memory_order_acquire) == 0) return true;
    // Left up by a repairer that died; ends with the lock given back.
    abi::repair(*page_, fd_, self());
  }
  sweeping().unlock();
  return false;
}

void Account::end_joint() noexcept {
  const ErrnoGuard keep_errno;
  abi::set_byte_lock(fd_, abi::kGateByte, F_UNLCK);
  sweeping().unlock();
}

// Whoever dies between the two steps has a mark, and then the piece's holders are asked.
void Account::hand_over(abi::JointPiece& piece) noexcept {
  const std::uint64_t bytes = piece.bytes.load(std::memory_order_relaxed);
  const Change change = enter(abi::joint_device(piece));
  if (change.word == nullptr) return;
  piece.payer.store(abi::kNoPayer, std::memory_order_seq_cst);
  leave(change, std::uint64_t{0} - bytes);
  show(abi::joint_device(piece), std::uint64_t{0} - bytes);
}

void Account::drop(abi::JointPiece& piece) noexcept {
  const std::uint32_t device = abi::joint_device(piece);
  const Change change = enter(device);
  if (change.word == nullptr) return;
  abi::free_piece(*page_, piece);
  page_->devices[device].committed.fetch_sub(piece.bytes.load(std::memory_order_relaxed),
                                             std::memory_order_seq_cst);
  end(change, 0);
}

std::uint64_t Account::new_key() const noexcept {
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  std::uint64_t key =
      static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
  for (const std::uint64_t part : {inode_, device_, std::uint64_t{self()}}) key = abi::mixed(key, part);
  return (key & (abi::kFirstJointKey - 1)) | abi::kFirstJointKey;
}

void Account::tell_host_pid(std::uint32_t host_pid) noexcept {
  if (abi::UsageSlot* mine = slot()) mine->host_pid.store(host_pid, std::memory_order_relaxed);
}

void Account::mirror_to(Region& region, void (*first)(void*) noexcept, void* data) noexcept {
  wait_for_byte(abi::kStartByte, 1000);  // starting takes microseconds
  mirror_ = &region;
  if (!has_others()) first(data);
  slot();
  abi::set_byte_lock(fd_, abi::kStartByte, F_UNLCK);
}

// Also tells of dead processes that could not be given back yet.
bool Account::has_others() noexcept {
  sweep();
  const abi::UsageSlot* mine = slot_.load(std::memory_order_acquire);
  bool found = false;
  each_slot([&](const abi::UsageSlot& slot) { found = found || &slot != mine; });
  return found;
}

void Account::sweep_now_and_then() noexcept {
  if (is_alone()) return;
  const std::uint64_t period =
      page_->high_water.load(std::memory_order_relaxed) > kMany ? kSweepPeriodManyMs : kSweepPeriodMs;
  if (now_ms() - page_->swept_at.load(std::memory_order_relaxed) >= period) sweep();
}

std::uint64_t Account::used(unsigned device) noexcept {
  sweep_now_and_then();
  return page_->devices[device].committed.load(std::memory_order_acquire);
}

std::uint64_t Account::own(unsigned device) const noexcept {
  const abi::UsageSlot* mine = slot_.load(std::memory_order_acquire);
  std::uint64_t bytes = mine == nullptr ? 0 : abi::slot_bytes(*mine, device);
  if (life_ == 0) return bytes;
  each_slot([&](const abi::UsageSlot& slot) {
    if (&slot != mine && slot.life.load(std::memory_order_relaxed) == life_)
      bytes += slot_bytes(slot, device);
  });
  return bytes;
}

template <typename Visit>
void Account::each_slot(Visit visit) const noexcept {
  const std::uint32_t high = page_->high_water.load(std::memory_order_acquire);
  for (std::uint32_t index = 0; index < high && index < abi::kMaxSlots; ++index) {
    if (abi::slot_pid(page_->slots[index]) != 0) visit(page_->slots[index]);
  }
}

unsigned Account::processes(unsigned device, ProcessUse* out, unsigned room) noexcept {
  sweep_now_and_then();
  unsigned count = 0;
  const auto visit = [&](const abi::UsageSlot& slot, bool is_copy) {
    if ((slot.devices.load(std::memory_order_relaxed) >> device & 1U) == 0) return;
    if (((slot.flags.load(std::memory_order_relaxed) & abi::kSlotCopy) != 0) != is_copy) return;
    for (unsigned i = 0; is_copy && i < count && i < room; ++i) {
      if (out[i].pid != abi::slot_pid(slot)) continue;
      out[i].bytes += slot_bytes(slot, device);
      return;
    }
    if (count < room) {
      out[count] = {abi::slot_pid(slot), slot.host_pid.load(std::memory_order_relaxed),
                    slot_bytes(slot, device)};
    }
    ++count;
  };
  // A process is one, however many slots its copies of this library have.
  each_slot([&](const abi::UsageSlot& slot) { visit(slot, false); });
  each_slot([&](const abi::UsageSlot& slot) { visit(slot, true); });
  return count;
}

std::uint32_t Account::pid_of_host(std::uint32_t host_pid) const noexcept {
  std::uint32_t found = 0;
  each_slot([&](const abi::UsageSlot& slot) {
    if (host_pid != 0 && slot.host_pid.load(std::memory_order_relaxed) == host_pid)
      found = abi::slot_pid(slot);
  });
  return found;
}

std::uint32_t Account::host_of_pid(std::uint32_t pid) const noexcept {
  std::uint32_t found = 0;
  each_slot([&](const abi::UsageSlot& slot) {
    if (abi::slot_pid(slot) == pid) found = slot.host_pid.load(std::memory_order_relaxed);
  });
  return found;
}

bool Account::has_process(std::uint32_t pid) const noexcept {
  bool found = false;
  each_slot([&](const abi::UsageSlot& slot) { found = found || abi::slot_pid(slot) == pid; });
  return found;
}

void Account::forget() noexcept {
  shown_ = nullptr;
  slot_.store(nullptr, std::memory_order_release);
  joining_.reset();
  sweeping_.reset();
  excluding_.reset();
  if (life_holder_ == ::getpid()) return;
  if (first_ == nullptr) {
    hold_life();  // the parent's is not ours
  } else {
    life_ = first_->life_;
    life_holder_ = first_->life_holder_;
  }
}

}  // namespace hami::vgpu
