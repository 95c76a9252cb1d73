#include "libvgpu/core/account.h"

#include <sys/wait.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "libvgpu/core/proc_self.h"
#include "page_fixture.h"

namespace hami::vgpu {
namespace {

class AccountTest : public PageTest {
 protected:
  void SetUp() override {
    PageTest::SetUp();
    ASSERT_TRUE(account_.open(path_.c_str(), 0));
  }
  Account account_;
};

TEST_F(AccountTest, AdmitsUpToTheLimitAndNotOneByteMore) {
  EXPECT_EQ(account_.admit(0, 10 * kMiB - 1, 10 * kMiB), Verdict::admitted);
  EXPECT_EQ(account_.admit(0, 2, 10 * kMiB), Verdict::refused);
  EXPECT_EQ(account_.admit(0, 1, 10 * kMiB), Verdict::admitted);
  EXPECT_EQ(account_.admit(0, 1, 10 * kMiB), Verdict::refused);
  EXPECT_EQ(committed(0), 10 * kMiB);
  EXPECT_EQ(page_->devices[0].refused.load(), 2U);
}

TEST_F(AccountTest, ZeroIsNoLimitAndStillCounted) {
  EXPECT_EQ(account_.admit(1, 1000 * kMiB, 0), Verdict::admitted);
  EXPECT_EQ(committed(1), 1000 * kMiB);
  EXPECT_EQ(account_.own(1), 1000 * kMiB);
}

TEST_F(AccountTest, RefusesSizesThatNoCardHas) {
  EXPECT_EQ(account_.admit(0, ~std::uint64_t{0}, 0), Verdict::refused);
  EXPECT_EQ(account_.admit(0, ~std::uint64_t{0}, kMiB), Verdict::refused);
  EXPECT_EQ(committed(0), 0U);
}

TEST_F(AccountTest, RefusesEverythingWhileAboveALoweredLimit) {
  ASSERT_EQ(account_.admit(0, 8 * kMiB, 10 * kMiB), Verdict::admitted);
  EXPECT_EQ(account_.admit(0, 1, 4 * kMiB), Verdict::refused);
  account_.refund(0, 8 * kMiB);
  EXPECT_EQ(account_.admit(0, 4 * kMiB, 4 * kMiB), Verdict::admitted);
}

TEST_F(AccountTest, KeepsTheHighestAdmittedSum) {
  ASSERT_EQ(account_.admit(0, 8 * kMiB, 0), Verdict::admitted);
  account_.refund(0, 8 * kMiB);
  ASSERT_EQ(account_.admit(0, kMiB, 0), Verdict::admitted);
  EXPECT_EQ(page_->devices[0].peak.load(), 8 * kMiB);
}

TEST_F(AccountTest, AForgottenReservationIsGivenBack) {
  {
    const Reservation reservation{account_, 0, kMiB, account_.admit(0, kMiB, 0)};
    EXPECT_EQ(committed(0), kMiB);
  }
  EXPECT_EQ(committed(0), 0U);
}

TEST_F(AccountTest, ACommittedReservationStays) {
  {
    Reservation reservation{account_, 0, kMiB, account_.admit(0, kMiB, 0)};
    EXPECT_EQ(reservation.commit(), kMiB);
  }
  EXPECT_EQ(committed(0), kMiB);
}

TEST_F(AccountTest, SettlingAboveTheLimitChangesNothing) {
  Reservation reservation{account_, 0, kMiB, account_.admit(0, kMiB, 2 * kMiB)};
  EXPECT_FALSE(reservation.settle(3 * kMiB, 2 * kMiB));
  EXPECT_EQ(committed(0), kMiB);
  EXPECT_TRUE(reservation.settle(2 * kMiB, 2 * kMiB));
  EXPECT_EQ(committed(0), 2 * kMiB);
  EXPECT_TRUE(reservation.settle(kMiB / 2, 2 * kMiB));
  EXPECT_EQ(committed(0), kMiB / 2);
}

TEST_F(AccountTest, EightThreadsNeverPassTheLimitAndEndAtZero) {
  constexpr std::uint64_t kLimit = 100 * kMiB + 512;
  std::atomic<bool> running{true};
  std::atomic<std::uint64_t> worst{0};
  std::thread observer([&] {
    while (running.load()) {
      const std::uint64_t seen = committed(0);
      if (seen > worst.load()) worst.store(seen);
    }
  });
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t);
      std::vector<std::uint64_t> held;
      for (int i = 0; i < 20'000; ++i) {
        const std::uint64_t bytes = (random() % (40 * kMiB / 512) + 1) * 512;
        if (random() % 2 == 0 && account_.admit(0, bytes, kLimit) == Verdict::admitted) held.push_back(bytes);
        if (!held.empty() && random() % 2 == 0) {
          account_.refund(0, held.back());
          held.pop_back();
        }
      }
      for (const std::uint64_t bytes : held) account_.refund(0, bytes);
    });
  }
  for (std::thread& thread : threads) thread.join();
  running.store(false);
  observer.join();
  EXPECT_LE(worst.load(), kLimit);
  EXPECT_LE(page_->devices[0].peak.load(), kLimit);
  EXPECT_EQ(committed(0), 0U);
  EXPECT_EQ(account_.own(0), 0U);
}

TEST_F(AccountTest, MemoryFreedByAnotherThreadIsGivenBack) {
  for (int i = 0; i < 16; ++i) {
    std::thread([&] { ASSERT_EQ(account_.admit(0, kMiB, 0), Verdict::admitted); }).join();
  }
  for (int i = 0; i < 16; ++i) std::thread([&] { account_.refund(0, kMiB); }).join();
  EXPECT_EQ(account_.own(0), 0U);
  EXPECT_EQ(committed(0), 0U);
}

// Zero in a pid namespace of its own, where only others can tell.
TEST_F(AccountTest, AProcessOnThePageIsKnownByItsPidOnTheHost) {
  account_.touch(0);
  EXPECT_EQ(account_.own_host_pid(), host_pid_of_self());
  EXPECT_EQ(page_->slots[0].host_pid.load(), host_pid_of_self());
}

TEST_F(AccountTest, AChildTakesASlotOfItsOwn) {
  ASSERT_EQ(account_.admit(0, kMiB, 0), Verdict::admitted);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    account_.forget();
    const bool ok = account_.own(0) == 0 && account_.admit(0, 2 * kMiB, 0) == Verdict::admitted &&
                    account_.own(0) == 2 * kMiB && committed(0) == 3 * kMiB;
    ::_exit(ok ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(account_.admit(0, kMiB, 2 * kMiB), Verdict::admitted) << "the child's bytes are free again";
  EXPECT_EQ(committed(0), 2 * kMiB);
}

// A second copy of the library in this process.
TEST_F(AccountTest, TwoThatShareThePageTakeEachOtherForAlive) {
  Account second;
  ASSERT_TRUE(second.share(account_));
  ASSERT_EQ(account_.admit(0, 8 * kMiB, 10 * kMiB), Verdict::admitted);
  ASSERT_EQ(second.admit(0, kMiB, 10 * kMiB), Verdict::admitted);
  // Who refuses looks for dead processes before.
  EXPECT_EQ(second.admit(0, 2 * kMiB, 10 * kMiB), Verdict::refused);
  EXPECT_EQ(account_.admit(0, 2 * kMiB, 10 * kMiB), Verdict::refused);
  EXPECT_EQ(committed(0), 9 * kMiB);
  EXPECT_EQ(page_->high_water.load(), 2U) << "a slot each";
}

TEST_F(AccountTest, TwoThatShareThePageAreOneProcess) {
  Account second;
  ASSERT_TRUE(second.share(account_));
  account_.touch(0);
  second.touch(0);
  ASSERT_EQ(account_.admit(0, 8 * kMiB, 0), Verdict::admitted);
  ASSERT_EQ(second.admit(0, kMiB, 0), Verdict::admitted);

  ProcessUse use[4];
  EXPECT_EQ(account_.own(0), 9 * kMiB);
  EXPECT_EQ(second.own(0), 9 * kMiB);
  ASSERT_EQ(account_.processes(0, use, 4), 1U);
  EXPECT_EQ(use[0].pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(use[0].bytes, 9 * kMiB);
  account_.tell_host_pid(4711);
  EXPECT_EQ(account_.own_host_pid(), 4711U);
}

TEST_F(AccountTest, TwoThatShareThePageAreNotExclusiveAtOnce) {
  Account second;
  ASSERT_TRUE(second.share(account_));
  ASSERT_TRUE(account_.try_exclusive());
  EXPECT_FALSE(second.try_exclusive());
  account_.end_exclusive();
  EXPECT_TRUE(second.try_exclusive());
  second.end_exclusive();
}

TEST_F(AccountTest, CannotShareAPageThatWasNotOpened) {
  const Account closed;
  Account second;
  EXPECT_FALSE(second.share(closed));
}

TEST_F(AccountTest, RefusesAFileThatIsNoPage) {
  Account other;
  EXPECT_FALSE(other.open("/dev/null", 0));
  EXPECT_FALSE(other.open("/nonexistent/usage", 0));
  ASSERT_EQ(::ftruncate(fd_, 100), 0);
  EXPECT_FALSE(other.open(path_.c_str(), 0));
  ASSERT_EQ(::ftruncate(fd_, sizeof(abi::UsagePage)), 0);
}

}  // namespace
}  // namespace hami::vgpu
