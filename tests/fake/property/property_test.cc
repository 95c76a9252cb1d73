// Random driver calls of many processes and threads against a reference model: never above the limit, and
// equal to the model whenever everybody is quiet. HAMI_TEST_SEED chooses the sequence; HAMI_TEST_OPERATIONS
// their number.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/fake/libvgpu/vgpu_node.h"
#include "tests/fake/property/board.h"

namespace hami::fake {
namespace {

using property::Board;
using property::Seat;

constexpr std::uint64_t kLimitMib = 1000;
constexpr std::uint64_t kPoolStep = 32 * kMiB;  // of the simulated driver

struct Shape {
  unsigned processes;
  unsigned threads;
  unsigned rounds;
  unsigned operations;  // per thread and round
};

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// Contexts cost next to nothing, so that the limit is for what the threads allocate. NVML says nothing: what
// it sees beyond the charges comes and goes at times that no model knows.
class Property : public ::testing::Test {
 protected:
  Property()
      : node_("cuda_version = 13.0\nprocess_list = 0\n[gpu]\nmemory_mib = 8192\ncontext_mib = 2\n"),
        container_(node_, {kLimitMib}),
        board_(node_.file("board")),
        seed_(from_environment("HAMI_TEST_SEED", static_cast<std::uint64_t>(::time(nullptr)))) {
    container_.page().context_bytes[0].store(2 * kMiB + 1);
  }

  ~Property() override {
    for (const pid_t pid : pids_) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }

  void start(const Shape& shape) {
    std::printf("HAMI_TEST_SEED=%llu repeats this sequence\n", static_cast<unsigned long long>(seed_));
    for (unsigned i = 0; i < shape.processes; ++i) {
      pids_.push_back(container_.start(
          std::to_string(i),
          {HAMI_BUILD_DIR "/bin/vgpu-random", node_.file("board"), std::to_string(i), std::to_string(seed_),
           std::to_string(shape.threads), std::to_string(shape.rounds), std::to_string(shape.operations)}));
    }
  }

  std::string said() const {
    std::string all;
    for (std::size_t i = 0; i < pids_.size(); ++i) all += node_.read(std::to_string(i) + ".out");
    return all;
  }

  // Looks at the page all the time, while the processes are on their way to their next meeting.
  void wait_for_all() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    while (board_->arrived.load() < pids_.size()) {
      for (int i = 0; i < 1000; ++i) worst_ = std::max(worst_, container_.committed());
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "a process does not arrive: " << said();
      std::this_thread::yield();
    }
  }
  void open_next() {
    board_->arrived.store(0);
    board_->round.fetch_add(1);
  }

  // The meeting before which everybody became quiet, and the one for looking.
  void meet() {
    ASSERT_NO_FATAL_FAILURE(wait_for_all());
    open_next();
    ASSERT_NO_FATAL_FAILURE(wait_for_all());
  }

  void compare(std::uint64_t base) {
    std::uint64_t expected = base;
    for (std::size_t i = 0; i < pids_.size(); ++i) {
      expected += board_->seats[i].model.load() + board_->seats[i].stock.load();
    }
    std::uint64_t in_slots = 0;
    for (const auto& slot : container_.page().slots) in_slots += abi::slot_bytes(slot, 0);
    ASSERT_EQ(container_.committed(), expected) << "the model; " << said();
    ASSERT_EQ(container_.committed(), in_slots) << "the processes' own records";
    for (std::size_t i = 0; i < pids_.size(); ++i) {
      ASSERT_EQ(board_->seats[i].free.load(), kLimitMib * kMiB - container_.committed())
          << "what a program sees";
      ASSERT_EQ(board_->seats[i].wrong.load(), 0U) << said();
    }
  }

  // Runs everything. Returns the number of operations.
  void run(const Shape& shape) {
    processes_ = shape.processes;
    start(shape);
    ASSERT_NO_FATAL_FAILURE(meet());
    const std::uint64_t base = container_.committed();
    for (unsigned round = 0; round < shape.rounds; ++round) {
      open_next();
      ASSERT_NO_FATAL_FAILURE(meet());
      ASSERT_NO_FATAL_FAILURE(compare(base));
    }
    for (std::size_t i = 0; i < pids_.size(); ++i) {
      operations_ += board_->seats[i].done.load();
      refused_ += board_->seats[i].refused.load();
    }
    open_next();
    for (const pid_t pid : pids_) ::waitpid(pid, nullptr, 0);
    pids_.clear();
  }

  void expect_never_above_the_limit() {
    EXPECT_LE(worst_, kLimitMib * kMiB);
    EXPECT_LE(container_.page().devices[0].peak.load(), kLimitMib * kMiB);
    // The card's own view, which knows nothing of libvgpu.so. A pool that grows by more than there is room
    // for is made to give it back before the call returns: so long the card holds up to one step of growth
    // more per process.
    EXPECT_LE(node_.stat("container", "peak_granted"), kLimitMib * kMiB + processes_ * kPoolStep);
  }

  // They all ended without a free.
  void expect_nothing_left() {
    EXPECT_EQ(container_.repaired(), 0U);
    EXPECT_EQ(node_.stat("device", "granted"), 0U);
  }

  SimNode node_;
  Container container_;
  Mapped<Board> board_;
  std::uint64_t seed_;
  std::vector<pid_t> pids_;
  unsigned processes_ = 0;
  std::uint64_t worst_ = 0;
  std::uint64_t operations_ = 0;
  std::uint64_t refused_ = 0;
};

TEST_F(Property, EightProcessesOfFourThreadsStayUnderTheLimitAndAgreeWithTheModel) {
  const std::uint64_t wanted = from_environment("HAMI_TEST_OPERATIONS", 1'050'000);
  constexpr unsigned kRounds = 30;
  const auto each = static_cast<unsigned>(wanted / (8 * 4 * kRounds)) + 1;

  run({8, 4, kRounds, each});

  EXPECT_GE(operations_, wanted);
  EXPECT_GT(refused_, operations_ / 1000) << "they met at the limit";
  expect_never_above_the_limit();
  expect_nothing_left();
}

TEST_F(Property, OneThreadAgreesWithTheModelAfterEveryCall) {
  run({1, 1, 4000, 1});

  EXPECT_EQ(operations_, 4000U);
  EXPECT_GT(refused_, 10U);
  expect_never_above_the_limit();
  expect_nothing_left();
}

}  // namespace
}  // namespace hami::fake
