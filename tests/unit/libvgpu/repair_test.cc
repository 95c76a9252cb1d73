#include "libvgpu/abi/usage_repair.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "libvgpu/core/account.h"
#include "page_fixture.h"

namespace hami::vgpu {
namespace {

// A process that does `work` on its own account and then waits to be killed.
class Child {
 public:
  Child(const std::string& path, const std::function<void(Account&)>& work) {
    int pipe_ends[2] = {-1, -1};
    if (::pipe(pipe_ends) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      Account account;
      const bool opened = account.open(path.c_str(), 0);
      if (opened) work(account);
      [[maybe_unused]] const auto told = ::write(pipe_ends[1], opened ? "y" : "n", 1);
      for (;;) ::pause();
    }
    char answer = 'n';
    ready_ = ::read(pipe_ends[0], &answer, 1) == 1 && answer == 'y';
    ::close(pipe_ends[0]);
    ::close(pipe_ends[1]);
  }
  ~Child() { kill(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  bool ready() const { return ready_; }
  pid_t pid() const { return pid_; }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  bool ready_ = false;
};

double elapsed_ms(const timespec& since) {
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec - since.tv_sec) * 1e3 +
         static_cast<double>(now.tv_nsec - since.tv_nsec) / 1e6;
}

class RepairTest : public PageTest {
 protected:
  abi::UsageSlot& slot_of(pid_t pid) {
    for (abi::UsageSlot& slot : page_->slots) {
      if (abi::slot_pid(slot) == static_cast<std::uint32_t>(pid)) return slot;
    }
    ADD_FAILURE() << "no slot of " << pid;
    return page_->slots[0];
  }
};

TEST_F(RepairTest, GivesBackWhatAKilledProcessHeld) {
  Child victim(path_, [](Account& account) {
    account.admit(0, 5 * kMiB, 0);
    account.admit(1, 3 * kMiB, 0);
  });
  Child survivor(path_, [](Account& account) { account.admit(0, 7 * kMiB, 0); });
  ASSERT_TRUE(victim.ready() && survivor.ready());
  EXPECT_EQ(abi::repair(*page_, fd_, abi::kMaxSlots), 0U) << "both live";
  EXPECT_EQ(committed(0), 12 * kMiB);

  victim.kill();

  EXPECT_EQ(abi::repair(*page_, fd_, abi::kMaxSlots), 1U);
  EXPECT_EQ(committed(0), 7 * kMiB);
  EXPECT_EQ(committed(1), 0U);
}

TEST_F(RepairTest, ARefusedRequestRepairsBeforeItFails) {
  Child victim(path_, [](Account& account) { account.admit(0, 8 * kMiB, 0); });
  ASSERT_TRUE(victim.ready());
  Account account;
  ASSERT_TRUE(account.open(path_.c_str(), 0));
  ASSERT_EQ(account.admit(0, 4 * kMiB, 10 * kMiB), Verdict::refused);
  victim.kill();
  EXPECT_EQ(account.admit(0, 4 * kMiB, 10 * kMiB), Verdict::admitted);
  EXPECT_EQ(committed(0), 4 * kMiB);
}

TEST_F(RepairTest, AReportForgetsDeadProcessesWithin100Milliseconds) {
  Account account;
  ASSERT_TRUE(account.open(path_.c_str(), 0));
  ASSERT_EQ(account.admit(0, kMiB, 0), Verdict::admitted);
  Child victim(path_, [](Account& other) { other.admit(0, 8 * kMiB, 0); });
  ASSERT_TRUE(victim.ready());
  EXPECT_EQ(account.used(0), 9 * kMiB);
  timespec start = {};
  ::clock_gettime(CLOCK_MONOTONIC, &start);
  victim.kill();
  while (account.used(0) != kMiB && elapsed_ms(start) < 1000) {
  }
  EXPECT_LT(elapsed_ms(start), 100);
}

// Daemons close every descriptor, also those that are not theirs.
TEST_F(RepairTest, AProcessThatClosedAllItsDescriptorsIsStillAlive) {
  Child closer(path_, [](Account& account) {
    account.admit(0, 5 * kMiB, 0);
    for (int fd = 100; fd < 2048; ++fd) ::close(fd);  // the lower ones tell the test
  });
  ASSERT_TRUE(closer.ready());

  abi::repair(*page_, fd_, abi::kMaxSlots);

  EXPECT_EQ(committed(0), 5 * kMiB);
  closer.kill();
  abi::repair(*page_, fd_, abi::kMaxSlots);
  EXPECT_EQ(committed(0), 0U);
}

TEST_F(RepairTest, AProcessThatLostItsDescriptorToAnotherFileHarmsNobody) {
  Child victim(path_, [](Account& account) { account.admit(0, 5 * kMiB, 0); });
  ASSERT_TRUE(victim.ready());
  const pid_t pid = ::fork();
  if (pid == 0) {
    Account account;
    if (!account.open(path_.c_str(), 0)) ::_exit(1);
    account.admit(0, 7 * kMiB, 0);
    const int other = ::open("/dev/zero", O_RDWR);
    for (int fd = 3; fd < 2048; ++fd) {
      if (fd != other) ::dup2(other, fd);
    }
    const bool refused = account.admit(0, 60 * kMiB, 64 * kMiB) == Verdict::refused;  // looks for dead ones
    ::_exit(refused && account.used(0) == 12 * kMiB ? 0 : 2);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);

  EXPECT_EQ(status, 0);
  EXPECT_EQ(abi::repair(*page_, fd_, abi::kMaxSlots), 1U);
  EXPECT_EQ(committed(0), 5 * kMiB);
}

TEST_F(RepairTest, AChildDoesNotKeepItsDeadParentAlive) {
  const pid_t parent = ::fork();
  if (parent == 0) {
    Account account;
    if (!account.open(path_.c_str(), 0)) ::_exit(1);
    account.admit(0, 7 * kMiB, 0);
    if (::fork() == 0) {
      account.forget();
      ::sleep(2);
    }
    ::_exit(0);
  }
  ::waitpid(parent, nullptr, 0);

  EXPECT_EQ(abi::repair(*page_, fd_, abi::kMaxSlots), 1U);
  EXPECT_EQ(committed(0), 0U);
}

// A process may die between marking its word, changing `committed` and recording the change.
TEST_F(RepairTest, CountsAgainWhenAProcessDiedInsideAChange) {
  Child victim(path_, [&](Account& account) {
    account.admit(0, 5 * kMiB, 0);
    page_->slots[account.page()->high_water.load() - 1].held[1][0].fetch_add(abi::kHeldMark);
    page_->devices[0].committed.fetch_add(9 * kMiB);  // and dies before it is recorded
  });
  Child survivor(path_, [](Account& account) { account.admit(0, 7 * kMiB, 0); });
  ASSERT_TRUE(victim.ready() && survivor.ready());
  ASSERT_EQ(committed(0), 21 * kMiB);
  victim.kill();
  abi::repair(*page_, fd_, abi::kMaxSlots);
  EXPECT_EQ(committed(0), 7 * kMiB);
  EXPECT_EQ(page_->gate.load(), 0U);
}

TEST_F(RepairTest, FinishesTheWorkOfAKilledRepairer) {
  Child survivor(path_, [](Account& account) { account.admit(0, 7 * kMiB, 0); });
  ASSERT_TRUE(survivor.ready());
  Child repairer(path_, [&](Account&) {
    const int fd = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
    abi::set_byte_lock(fd, abi::kGateByte, F_WRLCK);
    page_->gate.store(1);
    page_->devices[0].committed.store(1);
  });
  ASSERT_TRUE(repairer.ready());
  EXPECT_EQ(abi::repair(*page_, fd_, abi::kMaxSlots), 0U) << "somebody is at it";
  EXPECT_EQ(page_->gate.load(), 1U);
  repairer.kill();

  Account account;
  ASSERT_TRUE(account.open(path_.c_str(), 0));
  timespec start = {};
  ::clock_gettime(CLOCK_MONOTONIC, &start);
  EXPECT_EQ(account.admit(0, kMiB, 100 * kMiB), Verdict::admitted)
      << "the gate that was left up does not block";
  EXPECT_LT(elapsed_ms(start), 100);
  EXPECT_EQ(committed(0), 8 * kMiB);
}

TEST_F(RepairTest, FinishesASlotThatWasHalfEmptied) {
  Child victim(path_, [](Account& account) {
    account.admit(0, 5 * kMiB, 0);
    account.admit(1, 6 * kMiB, 0);
  });
  ASSERT_TRUE(victim.ready());
  abi::UsageSlot& slot = slot_of(victim.pid());
  victim.kill();
  // What a repairer has done when it dies after the first of two devices.
  slot.held[0][0].fetch_add(abi::kHeldMark);
  page_->devices[0].committed.fetch_sub(5 * kMiB);

  abi::repair(*page_, fd_, abi::kMaxSlots);

  EXPECT_EQ(committed(0), 0U);
  EXPECT_EQ(committed(1), 0U);
  EXPECT_EQ(slot.owner.load(), 0U);
}

TEST_F(RepairTest, AStoppedProcessInsideAChangeKeepsItsBytesAndDoesNotBlockForever) {
  Child stopped(path_, [&](Account& account) {
    account.admit(0, 5 * kMiB, 0);
    page_->slots[account.page()->high_water.load() - 1].held[1][0].fetch_add(abi::kHeldMark);
  });
  Child victim(path_, [&](Account& account) {
    account.admit(0, 2 * kMiB, 0);
    page_->slots[account.page()->high_water.load() - 1].held[1][0].fetch_add(abi::kHeldMark);
  });
  ASSERT_TRUE(stopped.ready() && victim.ready());
  victim.kill();
  timespec start = {};
  ::clock_gettime(CLOCK_MONOTONIC, &start);
  abi::repair(*page_, fd_, abi::kMaxSlots);
  EXPECT_LT(elapsed_ms(start), 2000);
  EXPECT_EQ(committed(0), 7 * kMiB) << "too much is counted rather than too little";
  EXPECT_EQ(page_->gate.load(), 0U);
  stopped.kill();
  abi::repair(*page_, fd_, abi::kMaxSlots);
  EXPECT_EQ(committed(0), 0U);
}

TEST_F(RepairTest, CountingAgainLosesNoChangeOfOthers) {
  std::atomic<bool> running{true};
  std::vector<std::thread> threads;
  Account account;
  ASSERT_TRUE(account.open(path_.c_str(), 0));
  for (unsigned t = 0; t < 6; ++t) {  // on words of their own, and on the shared one
    threads.emplace_back([&] {
      while (running.load()) {
        if (account.admit(0, kMiB, 4 * kMiB) == Verdict::admitted) account.withdraw(0, kMiB);
      }
    });
  }
  for (int i = 0; i < 2'000; ++i) abi::repair_detail::recount(*page_, fd_, abi::kMaxSlots);
  running.store(false);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(committed(0), 0U);
  EXPECT_EQ(page_->gate.load(), 0U);
}

// A count in whose middle the processes of two slots do what the test says: the first one has been looked at
// when the count waits for the second one's change to end.
class Disturbed : public RepairTest {
 protected:
  template <typename Meanwhile>
  void count_while(Meanwhile meanwhile) {
    const auto hold = [](Account& account) { account.admit(0, 8 * kMiB, 0); };
    Child first(path_, hold);
    Child second(path_, hold);
    ASSERT_TRUE(first.ready() && second.ready());
    slot_of(second.pid()).held[0][0].fetch_add(abi::kHeldMark);
    std::thread counting([&] { abi::repair_detail::recount(*page_, fd_, abi::kMaxSlots); });
    while (page_->gate.load() == 0) std::this_thread::yield();
    ::usleep(2'000);  // by then it waits
    meanwhile(slot_of(first.pid()));
    slot_of(second.pid()).held[0][0].fetch_sub(abi::kHeldMark);
    ::usleep(5'000);  // by then it has counted the first slot, with a change under way
    begun_->fetch_add(kMiB - abi::kHeldMark);
    counting.join();
  }
  // The first half of a change: marked, and `committed` has it.
  void begin(std::atomic<std::uint64_t>& word) {
    begun_ = &word;
    word.fetch_add(abi::kHeldMark);
    page_->devices[0].committed.fetch_add(kMiB);
    page_->stragglers.fetch_add(1);
  }
  std::atomic<std::uint64_t>* begun_ = nullptr;
};

TEST_F(Disturbed, AChangeThatIsInNoSlotYetIsNotLost) {
  count_while([&](abi::UsageSlot& slot) { begin(slot.held[1][0]); });
  EXPECT_EQ(committed(0), 17 * kMiB);
}

// `committed` is then what it was, and the slots are not.
TEST_F(Disturbed, AChangeThatEndedBesideOneThatBeganIsNotCountedTwice) {
  count_while([&](abi::UsageSlot& slot) {
    begin(slot.held[1][0]);
    page_->devices[0].committed.fetch_sub(kMiB);
    page_->stragglers.fetch_add(1);
    slot.held[2][0].fetch_sub(kMiB);
  });
  EXPECT_EQ(committed(0), 16 * kMiB);
}

TEST_F(RepairTest, EightProcessesKilledAtRandomLeaveNothing) {
  constexpr std::uint64_t kLimit = 64 * kMiB;
  for (int round = 0; round < 5; ++round) {
    std::vector<pid_t> pids;
    for (unsigned i = 0; i < 8; ++i) {
      const pid_t pid = ::fork();
      if (pid == 0) {
        Account account;
        if (!account.open(path_.c_str(), 0)) ::_exit(1);
        for (std::uint64_t step = 1;; ++step) {
          const std::uint64_t bytes = (step * 7919 + i) % (20 * kMiB) + 1;
          if (account.admit(0, bytes, kLimit) == Verdict::admitted) account.refund(0, bytes);
        }
      }
      ASSERT_GT(pid, 0);
      pids.push_back(pid);
    }
    for (const pid_t pid : pids) {
      timespec pause = {0, 5'000'000};
      ::nanosleep(&pause, nullptr);
      ::kill(pid, SIGKILL);
    }
    for (const pid_t pid : pids) ::waitpid(pid, nullptr, 0);
    abi::repair(*page_, fd_, abi::kMaxSlots);
    EXPECT_EQ(committed(0), 0U) << "round " << round;
    EXPECT_LE(page_->devices[0].peak.load(), kLimit);
  }
}

TEST(HeldWord, KeepsNegativeBytesApartFromMarks) {
  const std::uint64_t negative = std::uint64_t{0} - 4096;
  EXPECT_EQ(abi::held_bytes(negative), -4096);
  EXPECT_EQ(abi::held_marks(negative), 0U);
  EXPECT_EQ(abi::held_bytes(negative + 2 * abi::kHeldMark), -4096);
  EXPECT_EQ(abi::held_marks(negative + 2 * abi::kHeldMark), 2U);
  EXPECT_EQ(abi::held_marks(4096 + abi::kHeldMark), 1U);
}

}  // namespace
}  // namespace hami::vgpu
