#include "libvgpu/cuda/room.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "libvgpu/core/log.h"
#include "libvgpu/share/line.h"

namespace hami::vgpu {
namespace {

// The line of a process that has no board.
constinit abi::BoardWaiter g_own_line[abi::kBoardWaiters] = {};

std::uint64_t monotonic() noexcept {
  timespec time = {};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * share::kSecond + static_cast<std::uint64_t>(time.tv_nsec);
}

void sleep_for(std::uint64_t nanoseconds) noexcept {
  const timespec pause = {static_cast<time_t>(nanoseconds / share::kSecond),
                          static_cast<long>(nanoseconds % share::kSecond)};
  ::clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
}

const share::Standing& standing_in(const unsigned char (&memory)[sizeof(share::Standing)]) noexcept {
  return *std::launder(reinterpret_cast<const share::Standing*>(memory));
}
share::Standing& standing_in(unsigned char (&memory)[sizeof(share::Standing)]) noexcept {
  return *std::launder(reinterpret_cast<share::Standing*>(memory));
}

// Where there is no slice, the variable of the same meaning.
std::uint32_t wait_of_environment() noexcept {
  const char* text = ::secure_getenv("CUDA_MEMORY_WAIT");
  constexpr std::uint32_t kMost = share::kLongestWait / share::kSecond;
  std::uint32_t seconds = 0;
  for (; text != nullptr && *text >= '0' && *text <= '9' && seconds < kMost; ++text) {
    seconds = seconds * 10 + static_cast<std::uint32_t>(*text - '0');
  }
  return seconds < kMost ? seconds : kMost;
}

bool has_killer() noexcept {
  if (g_process.limits.source() == LimitSource::slice)
    return (g_process.limits.slice().flags & abi::kSliceActiveOomKiller) != 0;
  const char* text = ::secure_getenv("ACTIVE_OOM_KILLER");
  return text != nullptr && (std::strcmp(text, "true") == 0 || std::strcmp(text, "1") == 0);
}

}  // namespace

std::uint32_t room_wait(unsigned device) noexcept {
  switch (g_process.limits.source()) {
    case LimitSource::slice:
      return g_process.limits.slice().devices[device].memory_wait;
    case LimitSource::environment:
      return wait_of_environment();
    default:
      return 0;
  }
}

RoomWait::RoomWait(unsigned device, std::uint32_t seconds) noexcept : device_(device) {
  const std::uint64_t now = monotonic();
  const std::uint64_t wanted = seconds * share::kSecond;
  deadline_ = now + (wanted < share::kLongestWait ? wanted : share::kLongestWait);
  auto& waiters = g_process.board != nullptr ? g_process.board->waiters : g_own_line;
  new (standing_) share::Standing(waiters, 0, device, now, deadline_);
}

RoomWait::~RoomWait() { standing_in(standing_).~Standing(); }

bool RoomWait::is_our_turn(std::uint64_t now) const noexcept {
  const share::Standing& standing = standing_in(standing_);
  if (standing.is_impatient(now)) return true;
  if (standing.is_behind_own(now)) return false;
  if (g_process.board == nullptr) return true;
  CardPath path;
  card_path(device_, path);
  return !is_neighbour_before(path, now, g_process.board_inode, standing.place());
}

bool RoomWait::next() noexcept {
  const ErrnoGuard keep_errno;
  bool is_turn = true;
  for (;;) {
    const std::uint64_t now = monotonic();
    if (now >= deadline_) return false;
    standing_in(standing_).renew(now);
    // The first look comes at once, later ones after a pause.
    if (!has_asked_ || !is_turn) {
      is_turn = is_our_turn(now);
      if (is_turn) {
        has_asked_ = true;
        return true;
      }
    }
    const std::uint64_t pause = is_turn ? share::kFirstLooks : share::kOthersLook;
    sleep_for(pause < deadline_ - now ? pause : deadline_ - now);
    is_turn = false;
  }
}

void over_the_limit(unsigned device, std::uint64_t bytes, std::uint64_t limit) noexcept {
  if (!has_killer()) return;
  log(LogLevel::error, "ACTIVE_OOM_KILLER: a request for ", bytes, " bytes of device ", std::uint64_t{device},
      " does not fit under the limit of ", limit, " bytes; the process ends");
  ::kill(::getpid(), SIGKILL);
}

}  // namespace hami::vgpu
