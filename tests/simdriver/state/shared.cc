#include "tests/simdriver/state/shared.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/simdriver/state/accounts.h"
#include "tests/simdriver/state/store.h"

namespace hami::sim {
namespace {

constexpr int kGetFileLock = 36;  // F_OFD_GETLK and F_OFD_SETLK, which old headers lack
constexpr int kSetFileLock = 37;

std::uint32_t uses[kMaxShared];  // by this process

// The file whose open descriptions carry tokens: in their offset, and in a lock on the byte of that number,
// which lives as long as they do. Not the state's own: closing a descriptor of that one would drop its locks.
int open_carrier() {
  char path[512];
  snprintf(path, sizeof path, "%s.shared", state_path());
  const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd >= 0) fchmod(fd, 0666);
  return fd;
}

struct flock byte_of(std::uint64_t token, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(token);
  lock.l_len = 1;
  return lock;
}

bool is_carried(std::uint64_t token) {
  const int fd = open_carrier();
  if (fd < 0) return false;
  struct flock lock = byte_of(token, F_WRLCK);
  const bool found = fcntl(fd, kGetFileLock, &lock) == 0 && lock.l_type != F_UNLCK;
  close(fd);
  return found;
}

std::uint32_t first_user(const Shared& entry) {
  for (std::uint32_t word = 0; word < kMaxProcesses / 64; ++word) {
    if (entry.users[word] != 0)
      return word * 64 + static_cast<std::uint32_t>(__builtin_ctzll(entry.users[word]));
  }
  return kNobody;
}

// The bytes are in nobody's share: the next user's, the container's, or the card's.
void pass_on(State& state, Shared& entry) {
  entry.owner = first_user(entry);
  if (entry.owner != kNobody) {
    entry.container = state.processes[entry.owner].container;
    if (entry.on_host == 0) add_bytes(state, entry.owner, entry.device, entry.bytes);
  } else if (is_carried(entry.token)) {
    if (entry.on_host == 0) add_ownerless(state, entry);
  } else {
    entry.token = 0;
  }
}

bool remove_user(Shared& entry, std::uint32_t slot) {
  const std::uint64_t bit = std::uint64_t{1} << slot % 64;
  const bool was = (entry.users[slot / 64] & bit) != 0;
  entry.users[slot / 64] &= ~bit;
  return was;
}

}  // namespace

std::uint64_t share(State& state, std::uint32_t owner, std::uint32_t device, std::uint64_t size,
                    std::uint64_t bytes) {
  for (std::uint32_t i = 0; i < kMaxShared; ++i) {
    Shared& entry = state.shared[i];
    if (entry.token != 0) continue;
    entry = {};
    entry.token = state.next_token++;
    entry.size = size;
    entry.bytes = bytes;
    entry.device = device;
    entry.owner = owner;
    entry.container = state.processes[owner].container;
    entry.on_host = device == kNobody ? 1 : 0;
    if (i >= state.high_shared) state.high_shared = i + 1;
    uses[i] = 0;
    use(entry, owner);
    return entry.token;
  }
  return 0;
}

Shared* find_shared(State& state, std::uint64_t token) {
  for (std::uint32_t i = 0; i < state.high_shared; ++i) {
    if (token != 0 && state.shared[i].token == token) return &state.shared[i];
  }
  return nullptr;
}

void use(Shared& entry, std::uint32_t slot) {
  ++uses[&entry - attach()->shared];
  entry.users[slot / 64] |= std::uint64_t{1} << slot % 64;
}

void unuse(State& state, std::uint64_t token, std::uint32_t slot) {
  Shared* entry = find_shared(state, token);
  if (entry == nullptr || uses[entry - state.shared] == 0 || --uses[entry - state.shared] != 0) return;
  remove_user(*entry, slot);
  if (entry->owner != slot) return;
  if (entry->on_host == 0) give(state, slot, entry->device, {entry->bytes, entry->bytes});
  pass_on(state, *entry);
}

void retract(State& state, std::uint64_t token) {
  if (Shared* entry = find_shared(state, token)) entry->token = 0;
}

void unuse_all(State& state, std::uint32_t slot) {
  for (std::uint32_t i = 0; i < state.high_shared; ++i) {
    Shared& entry = state.shared[i];
    if (entry.token != 0 && remove_user(entry, slot) && entry.owner == slot) pass_on(state, entry);
  }
}

bool collect_shared(State& state) {
  bool any = false;
  for (std::uint32_t i = 0; i < state.high_shared; ++i) {
    Shared& entry = state.shared[i];
    if (entry.token == 0 || entry.owner != kNobody) continue;
    const std::uint32_t user = first_user(entry);
    if (user == kNobody && is_carried(entry.token)) continue;
    any = true;
    if (entry.on_host == 0) remove_ownerless(state, entry);
    pass_on(state, entry);
  }
  return any;
}

void forget_uses() {
  for (std::uint32_t& count : uses) count = 0;
}

int make_descriptor(std::uint64_t token) {
  const int fd = open_carrier();
  struct flock lock = byte_of(token, F_RDLCK);
  if (fd >= 0 && lseek(fd, static_cast<off_t>(token), SEEK_SET) >= 0 && fcntl(fd, kSetFileLock, &lock) == 0)
    return fd;
  if (fd >= 0) close(fd);
  return -1;
}

std::uint64_t token_of(int descriptor) {
  struct stat carrier {};
  struct stat given {};
  const int fd = open_carrier();
  if (fd < 0) return 0;
  // By the system call: the C library's function has a name that old ones do not know.
  const bool is_ours = syscall(SYS_fstat, fd, &carrier) == 0 && syscall(SYS_fstat, descriptor, &given) == 0 &&
                       carrier.st_dev == given.st_dev && carrier.st_ino == given.st_ino;
  close(fd);
  const off_t at = is_ours ? lseek(descriptor, 0, SEEK_CUR) : 0;
  return at > 0 ? static_cast<std::uint64_t>(at) : 0;
}

}  // namespace hami::sim
