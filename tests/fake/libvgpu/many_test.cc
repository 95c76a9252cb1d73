// Very many processes: more at once than most tables have rows, more in all than there are slots, and pids
// that come again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

using ::testing::HasSubstr;

unsigned slots_taken(const Container& container) {
  unsigned count = 0;
  for (const auto& slot : container.page().slots) count += abi::slot_pid(slot) != 0;
  return count;
}

// Starts `count` copies of a program from inside the container, so that the mounts are made once. They hold 1
// MiB each and end when the test closes their input.
const char* const kStartMany =
    "exec <\"$4\"; i=0; pids=; "
    "while [ $i -lt \"$1\" ]; do "
    "  \"$2\" --hold 600 alloc 512K >/dev/null 2>>\"$3\" & pids=\"$pids $!\"; i=$((i+1)); "
    "done; read line; kill -9 $pids; wait 2>/dev/null";

TEST(ManyProcesses, OfOneContainerAllHaveASlotOfTheirOwn) {
  constexpr unsigned kCount = 1025;
  const SimNode node("[gpu]\ncontext_mib = 2\n");
  const Container container(node, {8000});
  ASSERT_EQ(::mkfifo(node.file("end").c_str(), 0600), 0);
  const pid_t parent = container.start("parent", {"sh", "-c", kStartMany, "sh", std::to_string(kCount),
                                                  client(), node.file("errors"), node.file("end")});
  const int end = ::open(node.file("end").c_str(), O_RDWR | O_CLOEXEC);

  for (int i = 0; i < 20 && slots_taken(container) < kCount; ++i) {
    eventually([&] { return slots_taken(container) >= kCount; });
  }

  EXPECT_EQ(slots_taken(container), kCount);
  EXPECT_TRUE(eventually([&] { return container.committed() >= kCount * 512 * 1024; }));
  EXPECT_EQ(node.read("errors"), "");
  EXPECT_THAT(container.run({client(), "alloc", "1"}).out, HasSubstr("CUDA_SUCCESS")) << "one more is served";
  ASSERT_EQ(::write(end, "\n", 1), 1);
  ::close(end);
  ::waitpid(parent, nullptr, 0);
  EXPECT_EQ(container.repaired(), 0U);
  EXPECT_EQ(slots_taken(container), 0U);
}

// 10 000 by default: five times as many as there are slots. HAMI_TEST_PROCESSES says another number.
TEST(ManyProcesses, OneAfterTheOtherLeaveNothing) {
  const char* wanted = std::getenv("HAMI_TEST_PROCESSES");
  const unsigned count = wanted != nullptr ? static_cast<unsigned>(std::atoi(wanted)) : 10'000;
  const SimNode node("[gpu]\ncontext_mib = 2\n");
  const Container container(node, {1000});

  // Eight at a time, each with most of what is left to it; half of them end without a free.
  const Outcome result =
      container.run({"sh", "-c",
                     "worker() { i=0; while [ $i -lt \"$1\" ]; do "
                     "  \"$2\" --strict alloc 100 >/dev/null || echo failed; i=$((i+1)); done; }; "
                     "for n in 1 2 3 4 5 6 7 8; do worker \"$1\" \"$2\" & done; wait",
                     "sh", std::to_string((count + 7) / 8), client()});

  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "");
  EXPECT_LE(container.page().devices[0].peak.load(), 1000 * kMiB);
  EXPECT_LE(container.page().high_water.load(), 64U) << "slots of the dead are used again";
  EXPECT_EQ(container.repaired(), 0U);
}

// True when a pid namespace of our own lets us choose the next pid.
bool can_choose_pids(const SimNode& node) {
  return node.run({"unshare", "--pid", "--fork", "--mount-proc", "sh", "-c",
                   "echo 200 >/proc/sys/kernel/ns_last_pid && test $(sh -c 'echo $$') -gt 200"})
             .status == 0;
}

// A killed process and its successor with the same pid: the second one is not taken for the first, nor the
// first for alive.
TEST(ManyProcesses, WithAPidOfADeadOneAreNotTakenForIt) {
  const SimNode node("[gpu]\ncontext_mib = 2\n");
  if (!can_choose_pids(node))
    GTEST_SKIP() << "the kernel does not let this machine choose pids (ns_last_pid)";
  const Container container(node, {1000});

  const Outcome result = container.run(
      {"unshare", "--pid", "--fork", "--mount-proc", "sh", "-c",
       "for round in 1 2 3 4 5; do : >\"$1\"; "
       "  echo 300 >/proc/sys/kernel/ns_last_pid; \"$0\" --hold 60 alloc 600 >\"$1\" & victim=$!; "
       "  until grep -q cuMemGetInfo \"$1\"; do sleep 0.02; done; "
       "  kill -9 $victim; wait $victim 2>/dev/null; "
       "  echo 300 >/proc/sys/kernel/ns_last_pid; \"$0\" alloc 600 & second=$!; wait $second; "
       "  test $victim = $second || echo other pid; "
       "done",
       client(), node.file("held")});

  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, ::testing::Not(HasSubstr("other pid")));
  EXPECT_THAT(result.out, ::testing::Not(HasSubstr("OUT_OF_MEMORY")));
  EXPECT_THAT(result.out, HasSubstr("600 MiB: CUDA_SUCCESS"));
  EXPECT_EQ(container.repaired(), 0U);
}

}  // namespace
}  // namespace hami::fake
