// Memory that the driver keeps in stock for streams and graphs, step by step. The limits are 1000 MiB and, on
// a second device, 500 MiB.
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

const std::string kExercise = HAMI_BUILD_DIR "/bin/vgpu-exercise";

class PoolMemory : public ::testing::Test {
 protected:
  std::string exercise(const std::string& scenario) {
    const Container container(node_, {1000, 500});
    // Contexts cost nothing here, and that is known: what is made last need not fit as the table has it.
    for (unsigned device : {0U, 1U}) container.page().context_bytes[device].store(1);
    const Outcome result = container.run({kExercise, scenario});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_LE(container.page().devices[0].peak.load(), 1000 * kMiB);
    EXPECT_LE(container.page().devices[1].peak.load(), 500 * kMiB);
    EXPECT_EQ(container.repaired(0) + container.repaired(1), 0U) << "nothing is left";
    return result.out;
  }
  SimNode node_{"cuda_version = 13.0\n[gpu]\n[gpu]\n"};
};
class GraphMemory : public PoolMemory {};

TEST_F(PoolMemory, StaysAsLongAsThePoolKeepsIt) {
  EXPECT_EQ(exercise("pool-thresholds"),
            "alloc: 0, free 904 MiB\n"
            "free: 0, free 904 MiB\n"
            "wait: 0, free 1000 MiB\n"
            "threshold: 0, free 1000 MiB\n"
            "alloc: 0, free 904 MiB\n"
            "free: 0, free 904 MiB\n"
            "wait: 0, free 904 MiB\n"
            "trim to 32: 0, free 968 MiB\n"
            "trim: 0, free 1000 MiB\n");
}

TEST_F(PoolMemory, OfADestroyedPoolEndsWithItsLastAllocation) {
  EXPECT_EQ(exercise("pool-two"),
            "first: 0, free 680 MiB\n"
            "second: 0, free 360 MiB\n"
            "second too much: 2, free 360 MiB\n"
            "first destroyed: 0, free 360 MiB\n"
            "first destroyed again: 1, free 360 MiB\n"
            "its memory freed: 0, free 680 MiB\n"
            "second freed: 0, free 680 MiB\n"
            "wait: 0, free 1000 MiB\n"
            "second destroyed: 0, free 1000 MiB\n");
}

TEST_F(PoolMemory, IsFreedFromOtherStreamsAndThreads) {
  EXPECT_EQ(exercise("pool-strangers"),
            "alloc: 0, free 680 MiB\n"
            "alloc: 0, free 360 MiB\n"
            "freed elsewhere: 0, free 360 MiB\n"
            "freed by a thread: 0, free 360 MiB\n"
            "freed twice: 1, free 360 MiB\n"
            "wait: 0, free 1000 MiB\n"
            "all: 0, free 0 MiB\n");
}

TEST_F(PoolMemory, InACaptureIsTakenWhenTheGraphRuns) {
  EXPECT_EQ(exercise("pool-captured"),
            "capture: 0, free 1000 MiB\n"
            "end of capture: 0, free 1000 MiB\n"
            "alloc in it: 0, free 1000 MiB\n"
            "free in it: 0, free 1000 MiB\n"
            "instantiate: 0, free 1000 MiB\n"
            "launch: 0, free 680 MiB\n"
            "launch again: 0, free 680 MiB\n"
            "wait: 0, free 680 MiB\n"
            "destroy: 0, free 680 MiB\n"
            "trim: 0, free 1000 MiB\n");
}

TEST_F(PoolMemory, OfAnotherDeviceIsHeldByItsLimit) {
  EXPECT_EQ(exercise("pool-devices"),
            "second device too much: 2, free 1000 MiB\n"
            "second device: 0, free 1000 MiB\n"
            "seen there: 0, free 180 MiB\n"
            "freed: 0, free 180 MiB\n"
            "wait: 0, free 500 MiB\n"
            "destroyed: 0, free 500 MiB\n");
}

TEST_F(PoolMemory, ThatAnotherProcessImportsIsChargedOnce) {
  EXPECT_EQ(exercise("pool-exported"),
            "alloc: 0, free 680 MiB\n"
            "export: 0, free 680 MiB\n"
            "export pointer: 0, free 680 MiB\n"
            "destroyed: 0, free 680 MiB\n"
            "other imports: 0, free 680 MiB\n"
            "other imports a pointer: 0, free 680 MiB\n"
            "other allocs too much: 2, free 680 MiB\n"
            "other frees: 0, free 680 MiB\n"
            "other destroys: 0, free 680 MiB\n"
            "the other ends: 0, free 680 MiB\n"
            "freed: 0, free 1000 MiB\n");
}

TEST_F(GraphMemory, OutlivesTheLaunchThatTookIt) {
  EXPECT_EQ(exercise("graph-outside"),
            "graph: 0, free 1000 MiB\n"
            "alloc node: 0, free 1000 MiB\n"
            "instantiate: 0, free 1000 MiB\n"
            "launch: 0, free 600 MiB\n"
            "launch while it lives: 1, free 600 MiB\n"
            "free: 0, free 600 MiB\n"
            "free again: 1, free 600 MiB\n"
            "launch: 0, free 600 MiB\n"
            "free in order: 0, free 600 MiB\n"
            "wait: 0, free 600 MiB\n"
            "trim: 0, free 1000 MiB\n");
}

TEST_F(GraphMemory, FreedInsideServesTheNextLaunch) {
  EXPECT_EQ(exercise("graph-inside"),
            "graph: 0, free 1000 MiB\n"
            "alloc node: 0, free 1000 MiB\n"
            "free node: 0, free 1000 MiB\n"
            "instantiate: 0, free 1000 MiB\n"
            "upload: 0, free 600 MiB\n"
            "launch: 0, free 600 MiB\n"
            "launch again: 0, free 600 MiB\n"
            "destroy: 0, free 600 MiB\n"
            "trim: 0, free 1000 MiB\n"
            "all: 0, free 0 MiB\n");
}

TEST_F(GraphMemory, ThatDoesNotFitIsRefusedAtTheLaunch) {
  EXPECT_EQ(exercise("graph-too-large"),
            "graph: 0, free 1000 MiB\n"
            "alloc node: 0, free 1000 MiB\n"
            "free node: 0, free 1000 MiB\n"
            "instantiate: 0, free 1000 MiB\n"
            "launch: 2, free 1000 MiB\n"
            "alloc: 0, free 300 MiB\n"
            "graph: 0, free 300 MiB\n"
            "alloc node: 0, free 300 MiB\n"
            "free node: 0, free 300 MiB\n"
            "instantiate: 0, free 300 MiB\n"
            "launch beside: 2, free 300 MiB\n"
            "free: 0, free 1000 MiB\n"
            "launch alone: 0, free 600 MiB\n"
            "trim: 0, free 1000 MiB\n");
}

// Every kind of pointer into every function that frees.
TEST(Frees, AreJudgedByTheDriverAndLoseNothing) {
  const SimNode node("cuda_version = 13.0\n");
  const Container container(node, {1000});

  const Outcome bare = node.run({kExercise, "every-free"});
  const Outcome ours = container.run({kExercise, "every-free"});

  std::istringstream expected(bare.out);
  std::istringstream found(ours.out);
  int lines = 0;
  std::string left;
  std::string right;
  for (; std::getline(expected, left) && std::getline(found, right); ++lines) {
    if (left.rfind("all:", 0) == 0) continue;  // one has the card, the other its limit
    EXPECT_EQ(right, left);
  }
  EXPECT_EQ(lines, 11 * 9 + 1);
  EXPECT_EQ(right, "all: 0, free 0 MiB") << "not a byte is missing at the end";
  EXPECT_EQ(ours.out.find("missing"), std::string::npos) << ours.out;
}

}  // namespace
}  // namespace hami::fake
