// A process is killed after every single write to the page and after every lock call: at whatever instruction
// it dies, what is left is one of these states. After each kill the counters must soon be what the survivors
// hold, and no call of a survivor may wait.
//
// In the process that is to die the page cannot be written: each write faults, is let through as one
// instruction, and counts.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdarg>
#include <cstring>
#include <functional>

#include "libvgpu/abi/usage_repair.h"
#include "libvgpu/core/account.h"
#include "libvgpu/core/joint.h"
#include "page_fixture.h"

namespace {

constexpr unsigned kNever = ~0U;

volatile unsigned g_events_left = kNever;  // in the child: how many events it outlives
void* g_page = nullptr;

void count_event() {
  if (g_events_left == kNever) return;
  if (g_events_left == 0) ::kill(::getpid(), SIGKILL);
  g_events_left = g_events_left - 1;
}

}  // namespace

// What the account calls for its locks.
extern "C" int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  const long argument = va_arg(arguments, long);
  va_end(arguments);
  const auto result = static_cast<int>(::syscall(SYS_fcntl, fd, command, argument));
  count_event();
  return result;
}

namespace hami::vgpu {
namespace {

constexpr std::uint64_t kLimit = 64 * kMiB;
constexpr std::uint64_t kSurvivorHolds = 7 * kMiB;
constexpr double kSoonMs = 100;
constexpr std::uint64_t kKey = 42;

// Time that a piece of work takes of a processor of its own: what it computes, and its naps, which are 0.1 ms
// at most in the code under test. The clock on the wall would also count the other programs of a busy
// machine.
class Effort {
 public:
  double ms() const {
    return computed_ms() - computed_at_start_ + kNapMs * static_cast<double>(naps() - naps_at_start_);
  }

 private:
  static constexpr double kNapMs = 0.1;
  static double computed_ms() {
    timespec now = {};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
  }
  static long naps() {
    rusage usage = {};
    ::getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
  }
  double computed_at_start_ = computed_ms();
  long naps_at_start_ = naps();
};

#if defined(__x86_64__)
constexpr long long kTrapFlag = 0x100;

void let_through(int, siginfo_t* info, void* context) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const auto page = reinterpret_cast<std::uintptr_t>(g_page);
  if (address < page || address >= page + sizeof(abi::UsagePage)) ::_exit(99);
  ::mprotect(g_page, sizeof(abi::UsagePage), PROT_READ | PROT_WRITE);
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] |= kTrapFlag;
}

void written(int, siginfo_t*, void* context) {
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~kTrapFlag;
  ::mprotect(g_page, sizeof(abi::UsagePage), PROT_READ);
  count_event();
}

void watch_page(void* page) {
  g_page = page;
  struct sigaction action = {};
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = let_through;
  ::sigaction(SIGSEGV, &action, nullptr);
  action.sa_sigaction = written;
  ::sigaction(SIGTRAP, &action, nullptr);
  ::mprotect(page, sizeof(abi::UsagePage), PROT_READ);
}
#else
void watch_page(void*) {}
#endif

class KillPoints : public PageTest {
 protected:
  void SetUp() override {
#if !defined(__x86_64__)
    GTEST_SKIP() << "needs a processor that can let one instruction through";
#endif
    PageTest::SetUp();
    ASSERT_TRUE(survivor_.open(path_.c_str(), 0));
    ASSERT_EQ(survivor_.admit(0, kSurvivorHolds, kLimit), Verdict::admitted);
  }

  // Does `work` in a process that dies with what it has.
  void die_after(const std::function<void(Account&)>& work) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      Account account;
      if (!account.open(path_.c_str(), 0)) ::_exit(1);
      work(account);
      ::raise(SIGKILL);
    }
    ::waitpid(pid, nullptr, 0);
  }

  // Does `work` in a process that dies at its n-th event. False when it came to its end before.
  bool kill_at(unsigned n, const std::function<void(Account&)>& work) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      Account account;
      if (!account.open(path_.c_str(), 0)) ::_exit(1);
      watch_page(account.page());
      g_events_left = n;
      work(account);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    EXPECT_TRUE(killed || status == 0) << "point " << n << ", wait status " << status;
    return killed;
  }

  // Of what was passed to it, besides its own.
  std::uint64_t taken_over() const {
    std::uint64_t bytes = 0;
    for (const abi::JointPiece& piece : page_->joint) {
      if (piece.key.load() != 0 && abi::is_holder(piece, survivor_.self())) bytes += piece.bytes.load();
    }
    return bytes;
  }

  bool is_truth() {
    if (survivor_.used(0) != kSurvivorHolds + taken_over() || survivor_.used(1) != 0 ||
        page_->gate.load() != 0)
      return false;
    for (unsigned i = 1; i < abi::kMaxSlots; ++i) {
      if (page_->slots[i].owner.load() != 0) return false;
    }
    return taken_over() != 0 || page_->joint_high.load() == 0;
  }

  // The survivor lets go of what it was passed.
  void let_go() {
    JointMemory joint;
    const std::uint32_t piece = joint.join(survivor_, kKey);
    if (piece != JointMemory::kNone) joint.let_go(survivor_, piece);
  }

  // A survivor that only asks for reports finds everything in order soon.
  void expect_truth(unsigned point) {
    const Effort effort;
    unsigned looks = 0;
    for (; !is_truth() && looks < 1000; ++looks) {
      const timespec pause = {0, 1'000'000};
      ::nanosleep(&pause, nullptr);
    }
    EXPECT_TRUE(is_truth()) << "killed at point " << point << ": committed " << committed(0) << " and "
                            << committed(1) << ", gate " << page_->gate.load();
    EXPECT_LT(effort.ms() + looks, kSoonMs) << "killed at point " << point;
  }

  // As if the survivor took, or let go of, what the dying one passes.
  void set_taken(bool is_taken) { abi::set_holder(page_->joint[0], survivor_.self(), is_taken); }

  // The first call after the death, with a limit that only lets it in once the dead one's bytes are back.
  void expect_no_waiting(unsigned point) {
    const Effort effort;
    const std::uint64_t rest = kLimit - kSurvivorHolds - taken_over();
    EXPECT_EQ(survivor_.admit(0, rest, kLimit), Verdict::admitted) << "killed at point " << point;
    survivor_.refund(0, rest);
    EXPECT_LT(effort.ms(), kSoonMs) << "killed at point " << point;
  }

  // Kills at every point there is. Returns how many there were.
  unsigned kill_everywhere(const std::function<void()>& before, const std::function<void(Account&)>& work) {
    unsigned point = 0;
    for (;; ++point) {
      before();
      const bool killed = kill_at(point, work);
      if (point % 2 == 0) expect_no_waiting(point);
      expect_truth(point);
      let_go();
      expect_truth(point);
      if (!killed || HasFailure()) return point;
    }
  }

  Account survivor_;
};

TEST_F(KillPoints, OfOneThatRegistersAdmitsSettlesRefundsAndEnds) {
  const unsigned points =
      kill_everywhere([] {},
                      [](Account& account) {
                        account.touch(0);
                        account.admit(0, 5 * kMiB, kLimit);
                        {
                          Reservation more(account, 0, 3 * kMiB, account.admit(0, 3 * kMiB, kLimit));
                          more.settle(4 * kMiB, kLimit);
                          more.settle(2 * kMiB, kLimit);
                        }
                        account.charge(1, 9 * kMiB);
                        account.admit(0, 100 * kMiB, kLimit);  // refused
                        account.refund(1, 4 * kMiB);
                      });
  EXPECT_GT(points, 20U);
}

// Whoever is refused looks for dead ones first.
TEST_F(KillPoints, OfARepairerOfAProcessThatDiedInsideAChange) {
  const auto leave_a_dead_one = [&] {
    die_after([&](Account& account) {
      account.admit(0, 5 * kMiB, kLimit);
      account.admit(1, 6 * kMiB, kLimit);
      page_->slots[1].held[1][0].fetch_add(abi::kHeldMark);
      page_->devices[0].committed.fetch_add(3 * kMiB);  // and was not recorded
    });
  };
  const unsigned points =
      kill_everywhere(leave_a_dead_one, [](Account& account) { account.admit(0, kLimit, kLimit); });
  EXPECT_GT(points, 20U);
}

TEST_F(KillPoints, OfARepairerOfAProcessThatDiedQuiet) {
  const auto leave_a_dead_one = [&] {
    die_after([](Account& account) {
      account.admit(0, 5 * kMiB, kLimit);
      account.admit(1, 6 * kMiB, kLimit);
    });
  };
  const unsigned points =
      kill_everywhere(leave_a_dead_one, [](Account& account) { account.admit(0, kLimit, kLimit); });
  EXPECT_GT(points, 20U);
}

// Passes memory to the survivor, gives it up, takes it once more, and is the last that has it.
TEST_F(KillPoints, OfOneThatPassesMemoryOn) {
  const unsigned points = kill_everywhere([] {},
                                          [&](Account& account) {
                                            JointMemory joint;
                                            account.admit(0, 5 * kMiB, kLimit);
                                            joint.let_go(account, joint.publish(account, kKey, 0, 5 * kMiB));
                                            account.admit(0, 5 * kMiB, kLimit);
                                            const auto piece = joint.publish(account, kKey, 0, 5 * kMiB);
                                            set_taken(true);
                                            joint.let_go(account, piece);
                                            joint.join(account, kKey);
                                            set_taken(false);
                                            joint.let_go(account, piece);
                                          });
  EXPECT_GT(points, 60U);
}

// What is passed on is the survivor's when the repairer is through, wherever the first repairer died.
TEST_F(KillPoints, OfARepairerOfAProcessThatPassedMemoryOn) {
  for (const bool is_inside : {false, true}) {
    const auto leave_a_dead_one = [&] {
      die_after([&](Account& account) {
        account.admit(0, 5 * kMiB, kLimit);
        account.admit(0, 3 * kMiB, kLimit);
        JointMemory joint;
        joint.publish(account, kKey, 0, 5 * kMiB);
        set_taken(true);
        if (is_inside) page_->slots[1].held[1][0].fetch_add(abi::kHeldMark);
      });
    };
    const unsigned points =
        kill_everywhere(leave_a_dead_one, [](Account& account) { account.admit(0, kLimit, kLimit); });
    EXPECT_GT(points, 20U);
  }
}

}  // namespace
}  // namespace hami::vgpu
